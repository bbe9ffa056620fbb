#include "optimiser_cases.h"
