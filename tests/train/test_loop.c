#include "loop_cases.h"
