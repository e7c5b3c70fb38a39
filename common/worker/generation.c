#include "common/worker/bindings.h"

#include "common/base/hostname.h"
#include "common/tls/context.h"

#include <stdlib.h>
#include <string.h>

static bool
add_service(struct generation *p, struct service *service)
{
	struct service **more =
	    realloc(p->services, (p->service_count + 1) * sizeof(struct service *));

	if (more == NULL) {
		service_release(service);
		return false;
	}
	p->services = more;
	more[p->service_count++] = service;
	return true;
}

/* What a URI stands for, or the system trusts, is not looked at from outside. */
static bool
has_unseen_trust(const struct service_settings *s)
{
	return s->ca_store != NULL || s->system_ca;
}

/* The same lines and the same files make the same service. */
static struct service *
find_service(const struct generation *generation, const struct service_settings *s)
{
	struct file_stamp now[SETTINGS_FILES];

	for (size_t i = 0; generation != NULL && i < generation->service_count; i++) {
		const struct service_settings *old = generation->services[i]->settings;

		if (strcmp(old->name, s->name) == 0 && strcmp(old->text, s->text) == 0 &&
		    !has_unseen_trust(s) && !service_look(generation->services[i], now))
			return generation->services[i];
	}
	return NULL;
}

static struct service *
find_name(const struct generation *generation, const char *name)
{
	for (size_t i = 0; generation != NULL && i < generation->service_count; i++)
		if (strcmp(generation->services[i]->settings->name, name) == 0)
			return generation->services[i];
	return NULL;
}

/* A service of its own, which counts on from the one of the same name. */
static struct service *
make_service(struct settings *settings, const struct service_settings *s,
    const struct generation *before, struct err *e)
{
	const struct service *old = find_name(before, s->name);
	struct service *service = service_new(settings, s, e);

	if (service != NULL && old != NULL)
		service_succeed(service, old);
	return service;
}

/* The line that @e is about, or else its section's, is named in front. */
static bool
blame(const struct service_settings *s, struct err *e)
{
	if (settings_blame_line(s, e))
		return false;
	e->place = s->place + 1;
	return err_prefix(e, "%s:%d: [%s]", s->file, s->line, s->name);
}

static bool
take_services(struct generation *p, struct settings *settings,
    const struct generation *before, struct err *e)
{
	for (size_t i = 0; i < settings->service_count; i++) {
		struct service_settings *s = &settings->services[i];
		struct service *service = find_service(before, s);

		service = service != NULL ? service_hold(service)
					  : make_service(settings, s, before, e);
		if (service == NULL)
			return blame(s, e);
		if (!add_service(p, service))
			return err_set(e, "out of memory");
	}
	return true;
}

static bool
take_status_sockets(struct generation *p, const struct settings *settings,
    const struct bindings_source *from, struct err *e)
{
	for (size_t i = 0; i < settings->status.count; i++)
		if (!bindings_take(p, NULL, &settings->status.items[i], from, e))
			return err_prefix(e, "%s: status", settings->file);
	return true;
}

static bool
take_all_sockets(struct generation *p, const struct settings *settings,
    const struct bindings_source *from, struct err *e)
{
	for (size_t i = 0; i < p->service_count; i++) {
		const struct service_settings *s = p->services[i]->settings;

		for (size_t j = 0; j < s->accept.count; j++)
			if (!bindings_take(
				p, p->services[i], &s->accept.items[j], from, e))
				return blame(s, e);
	}
	return take_status_sockets(p, settings, from, e);
}

/* With none of its services within reach a program is of no use. */
static bool
serves_any(const struct generation *p, struct err *e)
{
	for (size_t i = 0; i < p->binding_count; i++)
		if (p->bindings[i].service != NULL)
			return true;
	for (size_t i = 0; i < p->missing_count; i++)
		if (p->missing[i].service != NULL) {
			err_set(e, "%s", p->missing[i].why);
			return blame(p->missing[i].service->settings, e);
		}
	return true;
}

static struct generation *
new_empty(void)
{
	struct generation *p = calloc(1, sizeof(*p));

	if (p != NULL)
		atomic_init(&p->holders, 1);
	return p;
}

struct generation *
generation_new(struct settings *settings, size_t workers, const struct generation *before,
    struct socket_activation *inherited, struct err *e)
{
	const struct bindings_source from = {workers, before, inherited};
	struct generation *p = new_empty();

	if (p == NULL) {
		err_set(e, "out of memory");
		return NULL;
	}
	if (take_services(p, settings, before, e) &&
	    (workers == 0 ||
		(take_all_sockets(p, settings, &from, e) && serves_any(p, e))))
		return p;
	generation_release(p);
	return NULL;
}

/* Who notes the faults of a service. */
struct notebook {
	const struct service_settings *s;
	struct diagnostics *faults;
};

/* Of a faulty service only what is wrong with one of its lines is noted: the rest may
 * follow from what was told. */
static void
note(void *owner, struct err *e)
{
	struct notebook *book = owner;

	if (book->s->faulty ? settings_blame_line(book->s, e) : !blame(book->s, e))
		(void)diagnostics_note(book->faults, e);
}

/* What is remarked on is of a line, too. */
static void
remark(void *owner, bool bad, const char *text)
{
	struct notebook *book = owner;
	struct err e;

	book->faults->useless |= bad;
	err_set(&e, "%s", text);
	blame(book->s, &e);
	if (book->faults->remark != NULL)
		book->faults->remark(book->faults->owner, e.text);
}

void
generation_check(struct settings *settings, struct diagnostics *faults)
{
	for (size_t i = 0; i < settings->service_count; i++) {
		struct notebook book = {&settings->services[i], faults};
		const struct tls_listener listener = {note, &book};
		const struct own_chain_listener chains = {remark, &book};
		struct err e = {.text = ""};
		struct service *service =
		    book.s->faulty ? NULL : service_new(settings, book.s, &e);

		if (service != NULL) {
			own_chain_check(service->context, book.s, &chains);
			service_release(service);
			continue;
		}
		if (!book.s->faulty)
			note(&book, &e);
		tls_context_check(book.s, &listener);
	}
}

struct generation *
generation_with(
    const struct generation *before, const struct service *old, struct service *renewed)
{
	struct generation *p = new_empty();
	bool ok = p != NULL;

	for (size_t i = 0; ok && i < before->service_count; i++) {
		struct service *service = before->services[i];

		ok = add_service(p, service_hold(service == old ? renewed : service));
	}
	for (size_t i = 0; ok && i < before->binding_count; i++) {
		const struct binding *binding = &before->bindings[i];

		ok = bindings_add(p, listen_socket_hold(binding->listen_socket),
		    binding->service == old ? renewed : binding->service);
	}
	for (size_t i = 0; ok && i < before->missing_count; i++) {
		const struct missing *m = &before->missing[i];

		ok = bindings_add_missing(
		    p, &m->address, m->service == old ? renewed : m->service, m->why);
	}
	if (!ok)
		generation_release(p);
	return ok ? p : NULL;
}

struct generation *
generation_retry(const struct generation *before, size_t workers)
{
	struct generation *p = generation_with(before, NULL, NULL);
	size_t left = 0;

	for (size_t i = 0; p != NULL && i < p->missing_count; i++)
		if (bindings_retry(p, &p->missing[i], workers))
			service_release(p->missing[i].service);
		else
			p->missing[left++] = p->missing[i];
	if (p == NULL)
		return NULL;
	if (left < p->missing_count) {
		p->missing_count = left;
		return p;
	}
	generation_release(p);
	return NULL;
}

struct generation *
generation_hold(struct generation *generation)
{
	atomic_fetch_add(&generation->holders, 1);
	return generation;
}

void
generation_release(struct generation *p)
{
	if (p == NULL || atomic_fetch_sub(&p->holders, 1) > 1)
		return;
	for (size_t i = 0; i < p->binding_count; i++) {
		listen_socket_release(p->bindings[i].listen_socket);
		service_release(p->bindings[i].service);
	}
	for (size_t i = 0; i < p->service_count; i++)
		service_release(p->services[i]);
	for (size_t i = 0; i < p->missing_count; i++)
		service_release(p->missing[i].service);
	free(p->missing);
	free(p->bindings);
	free(p->services);
	free(p);
}

bool
generation_has(const struct generation *generation, const struct service *service)
{
	return generation_present(generation, service) == service;
}

struct service *
generation_present(const struct generation *generation, const struct service *service)
{
	for (size_t i = 0; i < generation->service_count; i++)
		if (generation->services[i] == service)
			return generation->services[i];
	return find_name(generation, service->settings->name);
}

struct service *
generation_service_of(
    const struct generation *generation, const struct listen_socket *listen_socket)
{
	for (size_t i = 0; i < generation->binding_count; i++)
		if (generation->bindings[i].listen_socket == listen_socket)
			return generation->bindings[i].service;
	return NULL;
}

/* Does a line of @s fit @name, or any name if that is NULL, at the listen sockets of @at?
 */
static bool
has_name(
    const struct service_settings *s, const struct service_settings *at, const char *name)
{
	for (size_t i = 0; i < s->sni_rules.count; i++) {
		const struct sni_rule *rule = &s->sni_rules.items[i];

		if (strcmp(rule->section, at->name) == 0 &&
		    (name == NULL || hostname_fits(rule->pattern, name)))
			return true;
	}
	return false;
}

struct service *
generation_service_for(
    const struct generation *generation, const struct service *at, const char *name)
{
	for (size_t i = 0; i < generation->service_count; i++)
		if (has_name(generation->services[i]->settings, at->settings, name))
			return generation->services[i];
	return NULL;
}

bool
generation_has_names(const struct generation *generation, const struct service *at)
{
	return generation_service_for(generation, at, NULL) != NULL;
}
