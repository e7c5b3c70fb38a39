/*
 * Feeds the files of folders to a target, where there is no libFuzzer: FOLDER...
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST = 1 << 20, /* bytes of a file */
};

static void
replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *space = malloc(MOST), *data;
	size_t n;

	MUST(file != NULL && space != NULL);
	n = fread(space, 1, MOST, file);
	fclose(file);
	/* Of just that size, so that a sanitizer sees what reads on behind it. */
	MUST((data = malloc(n > 0 ? n : 1)) != NULL);
	memcpy(data, space, n);
	free(space);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
}

/* How many files it has. */
static int
replay_folder(const char *folder)
{
	DIR *directory = opendir(folder);
	const struct dirent *entry;
	char path[4096];
	int count = 0;

	if (directory == NULL) {
		fprintf(stderr, "%s: %s\n", folder, strerror(errno));
		exit(1);
	}
	while ((entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		replay_file(path);
		count++;
	}
	closedir(directory);
	return count;
}

int
main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++)
		count += replay_folder(argv[i]);
	MUST(count > 0);
	printf("%s: %d inputs\n",
	    strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0], count);
	return 0;
}
