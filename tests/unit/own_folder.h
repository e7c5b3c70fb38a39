/*
 * A folder of the test's own, in which it works.
 */
#ifndef TESTS_UNIT_OWN_FOLDER_H
#define TESTS_UNIT_OWN_FOLDER_H

/** Make it and work in it.  Returns its path, valid until the next call. */
const char *own_folder_enter(void);

/** Leave and remove it, in which nothing may be left. */
void own_folder_leave(void);

#endif
