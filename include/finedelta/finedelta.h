// Everything that finedelta offers.
#ifndef FINEDELTA_FINEDELTA_H_
#define FINEDELTA_FINEDELTA_H_

#include "finedelta/apply.h"
#include "finedelta/archive_reader.h"
#include "finedelta/diff.h"
#include "finedelta/inspect.h"
#include "finedelta/lora.h"
#include "finedelta/measure.h"
#include "finedelta/options.h"
#include "finedelta/pack.h"
#include "finedelta/plan.h"
#include "finedelta/progress.h"
#include "finedelta/result.h"
#include "finedelta/unpack.h"
#include "finedelta/version.h"

#endif  // FINEDELTA_FINEDELTA_H_
