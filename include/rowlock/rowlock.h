/* SPDX-License-Identifier: MIT
 * Everything: librowlock (error, value, lock) and librowlock-data (session,
 * record). */
#ifndef ROWLOCK_H
#define ROWLOCK_H

#include "error.h"
#include "lock.h"
#include "record.h"
#include "session.h"
#include "value.h"

#define ROWLOCK_VERSION "0.1.0"

#endif
