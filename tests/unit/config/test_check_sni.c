#include "tests/unit/settings_file.h"
#include "tests/unit/unit.h"

#include <string.h>

#define PRIMARY "[orders]\naccept = 8443\nconnect = 1\ncert = c.pem\nCAfile = a.pem\n"
#define SECOND "[stock]\nconnect = 2\ncert = d.pem\nCAfile = b.pem\n"

START_TEST(a_service_may_be_chosen_by_name_where_another_listens)
{
	struct settings *settings = settings_from(ROLE_SERVER,
	    PRIMARY SECOND "sni = orders:stock.example\nSNI = orders:*.stock.example\n");
	const struct service_settings *s = &settings->services[1];

	ck_assert_uint_eq(settings->services[0].sni_rules.count, 0);
	ck_assert_uint_eq(s->accept.count, 0);
	ck_assert_uint_eq(s->sni_rules.count, 2);
	ck_assert_str_eq(s->sni_rules.items[0].section, "orders");
	ck_assert_str_eq(s->sni_rules.items[0].pattern, "stock.example");
	ck_assert_str_eq(s->sni_rules.items[1].pattern, "*.stock.example");
	ck_assert_ptr_null(s->sni);
	settings_release(settings);
}
END_TEST

START_TEST(the_other_section_may_stand_below_and_have_a_colon_in_its_name)
{
	struct settings *settings = settings_from(ROLE_SERVER,
	    SECOND "sni = a:b c:stock.example\n"
		   "[a:b c]\naccept = 9\nconnect = 1\ncert = c\nCAfile = d\n");

	ck_assert_str_eq(settings->services[0].sni_rules.items[0].section, "a:b c");
	settings_release(settings);
}
END_TEST

START_TEST(accept_before_the_first_section_is_for_those_that_are_dialled)
{
	struct settings *settings = settings_from(ROLE_SERVER,
	    "accept = 8443\n[orders]\nconnect = 1\ncert = c\nCAfile = d\n" SECOND
	    "sni = orders:stock.example\n");

	ck_assert_uint_eq(settings->services[0].accept.count, 1);
	ck_assert_uint_eq(settings->services[1].accept.count, 0);
	settings_release(settings);
}
END_TEST

START_TEST(a_service_that_is_chosen_has_no_accept_of_its_own)
{
	settings_refused(ROLE_SERVER,
	    PRIMARY SECOND "accept = 9443\nsni = orders:stock.example\n",
	    ":10: \"accept = 9443\": a service that is chosen by sni has no accept of "
	    "its "
	    "own: clients arrive where orders accepts; remove this line, or sni");
}
END_TEST

START_TEST(sni_names_a_section_that_is_there_and_accepts)
{
	settings_refused(ROLE_SERVER, PRIMARY SECOND "sni = order:stock.example\n",
	    ":6: \"[stock]\": sni = order:stock.example: no section [order] of "
	    "routeport-server is in this file: write the name of the one that accepts");
	settings_refused_with(ROLE_SERVER,
	    PRIMARY SECOND "sni = orders:stock.example\n"
			   "[third]\nconnect = 3\ncert = e\nCAfile = f\n"
			   "sni = stock:third.example\n",
	    ":11: \"[third]\": sni = stock:third.example: [stock] is chosen by sni "
	    "itself");
	settings_refused_with(ROLE_SERVER,
	    PRIMARY SECOND "sni = c:stock.example\n"
			   "[c]\nclient = yes\naccept = ::1:1\nconnect = c.example:443\n",
	    "no section [c] of routeport-server is in this file");
}
END_TEST

START_TEST(in_a_server_sni_has_a_service_and_a_pattern)
{
	settings_refused_with(ROLE_SERVER, PRIMARY SECOND "sni = stock.example\n",
	    ":10: \"sni = stock.example\": in a server it is sni = SERVICE:PATTERN");
	settings_refused_with(ROLE_SERVER, PRIMARY SECOND "sni = :stock.example\n",
	    "in a server it is sni = SERVICE:PATTERN");
	settings_refused_with(ROLE_SERVER, PRIMARY SECOND "sni =\n",
	    "in a server it is sni = SERVICE:PATTERN");
	settings_refused_with(ROLE_SERVER, PRIMARY SECOND "sni = orders:\n",
	    ":10: \"sni = orders:\": a part of the host name is empty");
	settings_refused_with(ROLE_SERVER, PRIMARY SECOND "sni = orders:a.*.b\n",
	    "a host name has letters, digits");
}
END_TEST

START_TEST(in_a_client_sni_has_no_service)
{
	settings_refused_with(ROLE_CLIENT, CLIENT "sni = orders:stock.example\n",
	    ":4: \"sni = orders:stock.example\": SERVICE:PATTERN is for services of "
	    "routeport-server");
}
END_TEST

START_TEST(sni_before_the_first_section_is_for_whom_it_fits)
{
	struct settings *settings =
	    settings_from(ROLE_SERVER, "sni = route.example\n" PRIMARY);

	ck_assert_ptr_null(settings->services[0].sni);
	ck_assert_uint_eq(settings->services[0].sni_rules.count, 0);
	settings_release(settings);
	settings = settings_from(ROLE_CLIENT, "sni = route.example\n" CLIENT);
	ck_assert_str_eq(settings->services[0].sni, "route.example");
	settings_release(settings);
}
END_TEST

START_TEST(a_service_may_have_names_at_its_own_listen_sockets)
{
	struct settings *settings = settings_from(
	    ROLE_SERVER, PRIMARY "sni = orders:orders.example\nsniStrict = yes\n");

	ck_assert_uint_eq(settings->services[0].accept.count, 1);
	ck_assert_uint_eq(settings->services[0].sni_rules.count, 1);
	ck_assert(settings->services[0].sni_strict);
	settings_release(settings);
	settings_refused_with(ROLE_SERVER, SECOND "sni = stock:stock.example\n",
	    ":1: \"[stock]\": accept is missing");
}
END_TEST

START_TEST(strict_names_need_names)
{
	struct settings *settings = settings_from(ROLE_SERVER,
	    PRIMARY "sniStrict = yes\n" SECOND "sni = orders:stock.example\n");

	ck_assert(settings->services[0].sni_strict);
	ck_assert(!settings->services[1].sni_strict);
	settings_release(settings);
	settings_refused(ROLE_SERVER, PRIMARY "sniStrict = yes\n",
	    ":1: \"[orders]\": sniStrict = yes would refuse everybody, for no sni line "
	    "names this section: remove it, or add \"sni = orders:NAME\"");
	settings_refused_with(ROLE_CLIENT, CLIENT "sniStrict = yes\n",
	    "sniStrict is for services of routeport-server alone");
}
END_TEST

UNIT_MAIN("settings_sni", a_service_may_be_chosen_by_name_where_another_listens,
    the_other_section_may_stand_below_and_have_a_colon_in_its_name,
    accept_before_the_first_section_is_for_those_that_are_dialled,
    a_service_that_is_chosen_has_no_accept_of_its_own,
    sni_names_a_section_that_is_there_and_accepts,
    in_a_server_sni_has_a_service_and_a_pattern, in_a_client_sni_has_no_service,
    sni_before_the_first_section_is_for_whom_it_fits,
    a_service_may_have_names_at_its_own_listen_sockets, strict_names_need_names)
