/*
 * The text in HEADERS.
 */
#include "common/h2/headers.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <string.h>

START_TEST(a_forwarded_address_is_read_as_rfc_7239_has_it)
{
	static const struct {
		const char *value, *address;
	} rows[] = {
	    {"for=192.0.2.43", "192.0.2.43"},
	    {"for=\"192.0.2.43:4711\"", "192.0.2.43:4711"},
	    {"For=\"[2001:db8:cafe::17]:4711\"", "[2001:db8:cafe::17]:4711"},
	    {"by=x;for=192.0.2.60;proto=http", "192.0.2.60"},
	    {"by=\";for=evil\"; for=good", "good"},
	    {"for=first, for=second", "first"},
	    {"for=\"a\\\"b\"", "a\"b"},
	    {"by=first, for=second", ""},
	    {"xfor=no", ""},
	    {"for=", ""},
	    {"for=\"", ""},
	    {"\\", ""},
	    {"", ""},
	};
	char out[HEADERS_H2_FORWARDED_SIZE], again[HEADERS_H2_FORWARDED_SIZE];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		h2_headers_read_forwarded(out, rows[i].value, strlen(rows[i].value));
		ck_assert_msg(
		    strcmp(out, rows[i].address) == 0, "%s: %s", rows[i].value, out);
	}
	h2_headers_write_forwarded(out, "@a \"socket\"\n\\");
	h2_headers_read_forwarded(again, out, strlen(out));
	ck_assert_str_eq(again, "@a \"socket\"\\");
}
END_TEST

START_TEST(a_refusal_s_text_is_made_safe_and_understood)
{
	char out[HEADERS_H2_ERROR_SIZE], longest[400];
	const char *detail;

	h2_headers_write_error(out, REASON_FULL, " \x01\x7f\t\r\n ");
	ck_assert_str_eq(out, "full:");
	ck_assert_int_eq(h2_headers_read_error(503, out, &detail), REASON_FULL);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	h2_headers_write_error(out, REASON_APP_UNREACHABLE, longest);
	ck_assert_uint_eq(strlen(out), 200);
	h2_headers_write_error(out, REASON_APP_UNREACHABLE, NULL);
	ck_assert_int_eq(
	    h2_headers_read_error(502, out, &detail), REASON_APP_UNREACHABLE);
	ck_assert_ptr_null(detail);
	ck_assert_int_eq(h2_headers_read_error(504, NULL, &detail), REASON_OPEN_TIMEOUT);
	ck_assert_int_eq(
	    h2_headers_read_error(502, "none: ha", &detail), REASON_APP_UNREACHABLE);
	ck_assert_str_eq(detail, "none: ha");
}
END_TEST

UNIT_MAIN("h2_headers", a_forwarded_address_is_read_as_rfc_7239_has_it,
    a_refusal_s_text_is_made_safe_and_understood)
