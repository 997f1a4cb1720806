#include "tests/support/claims.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define CLAIMS_MAX 256

static struct {
    const char *name;
    void (*fn)(void);
} claims[CLAIMS_MAX];
static unsigned claim_count;

void claims_register(const char *name, void (*fn)(void))
{
    if (claim_count == CLAIMS_MAX) {
        fprintf(stderr, "more than %d claims in one file\n", CLAIMS_MAX);
        abort();
    }
    claims[claim_count].name = name;
    claims[claim_count].fn = fn;
    claim_count++;
}

int main(int argc, char **argv)
{
    (void)argc;
    if (claim_count == 0 || CU_initialize_registry() != CUE_SUCCESS) {
        return EXIT_FAILURE;
    }
    CU_pSuite suite = CU_add_suite(argv[0], NULL, NULL);
    for (unsigned i = 0; i < claim_count; i++) {
        if (CU_add_test(suite, claims[i].name, claims[i].fn) == NULL) {
            return EXIT_FAILURE;
        }
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    bool failed = CU_get_number_of_failures() > 0;
    CU_cleanup_registry();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
