#include "common/worker/generation.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Three services, of which the second and the third are chosen at the listen sockets of
 * the first.
 */
static struct sni_rule second_rules[] = {
    {"first", "second.example"}, {"first", "*.shared.example"}};
static struct sni_rule third_rules[] = {
    {"elsewhere", "second.example"}, {"first", "*.example"}};
static struct service_settings settings[] = {
    {.name = "first"},
    {.name = "second", .sni_rules = {second_rules, 2}},
    {.name = "third", .sni_rules = {third_rules, 2}},
};

struct scene {
	struct service of[3];
	struct service *services[3];
	struct generation generation;
};

static void
scene_init(struct scene *s)
{
	for (size_t i = 0; i < 3; i++) {
		s->of[i] = (struct service){.settings = &settings[i]};
		s->services[i] = &s->of[i];
	}
	s->generation = (struct generation){.services = s->services, .service_count = 3};
}

START_TEST(the_first_line_that_fits_a_name_is_taken)
{
	struct scene s;

	scene_init(&s);
	ck_assert_ptr_eq(
	    generation_service_for(&s.generation, &s.of[0], "second.example"), &s.of[1]);
	ck_assert_ptr_eq(
	    generation_service_for(&s.generation, &s.of[0], "a.shared.example"),
	    &s.of[1]);
	ck_assert_ptr_eq(
	    generation_service_for(&s.generation, &s.of[0], "a.example"), &s.of[2]);
}
END_TEST

START_TEST(a_name_that_fits_no_line_has_no_service)
{
	struct scene s;

	scene_init(&s);
	ck_assert_ptr_null(
	    generation_service_for(&s.generation, &s.of[0], "second.test"));
	ck_assert_ptr_null(generation_service_for(&s.generation, &s.of[0], ""));
}
END_TEST

START_TEST(a_line_holds_at_the_listen_sockets_that_it_names)
{
	struct scene s;

	scene_init(&s);
	ck_assert(generation_has_names(&s.generation, &s.of[0]));
	ck_assert(!generation_has_names(&s.generation, &s.of[1]));
	ck_assert_ptr_null(
	    generation_service_for(&s.generation, &s.of[1], "second.example"));
}
END_TEST

START_TEST(a_service_of_an_older_generation_leads_to_those_of_this_one)
{
	struct scene s;
	struct service old = {.settings = &settings[0]};

	scene_init(&s);
	ck_assert_ptr_eq(
	    generation_service_for(&s.generation, &old, "second.example"), &s.of[1]);
}
END_TEST

START_TEST(what_is_in_the_place_of_an_older_service_has_its_name)
{
	struct scene s;
	struct service_settings gone = {.name = "gone"};
	struct service old = {.settings = &settings[1]}, other = {.settings = &gone};

	scene_init(&s);
	ck_assert_ptr_eq(generation_present(&s.generation, &s.of[2]), &s.of[2]);
	ck_assert_ptr_eq(generation_present(&s.generation, &old), &s.of[1]);
	ck_assert_ptr_null(generation_present(&s.generation, &other));
	ck_assert(generation_has(&s.generation, &s.of[1]));
	ck_assert(!generation_has(&s.generation, &old));
}
END_TEST

START_TEST(a_file_that_is_gone_since_the_root_changed_is_as_it_was)
{
	char path[] = "/tmp/routeport-test-XXXXXX";
	struct service_settings one = {.name = "one", .ca_file = path};
	struct service service = {.settings = &one};
	struct file_stamp now[SETTINGS_FILES];
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	service.stamps[0] = file_stamp(path);
	ck_assert(!service_look(&service, now));
	service_forgive_gone(&service);
	ck_assert(!service_look(&service, now));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(service_look(&service, now));
	service_forgive_gone(&service);
	ck_assert(!service_look(&service, now));
	close(fd);
	ck_assert_int_ge(fd = open(path, O_CREAT | O_WRONLY, 0600), 0);
	ck_assert(service_look(&service, now)); /* it is back, and to be read */
	close(fd);
	unlink(path);
}
END_TEST

UNIT_MAIN("plan", a_file_that_is_gone_since_the_root_changed_is_as_it_was,
    the_first_line_that_fits_a_name_is_taken, a_name_that_fits_no_line_has_no_service,
    a_line_holds_at_the_listen_sockets_that_it_names,
    a_service_of_an_older_generation_leads_to_those_of_this_one,
    what_is_in_the_place_of_an_older_service_has_its_name)
