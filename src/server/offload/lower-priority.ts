/**
 * Has this thread give way to those that answer reviews, from its first module on. Elsewhere than on Linux it would be
 * the whole process: setpriority(2).
 */
import { setPriority } from 'node:os'

/**
 * Niceness. It has a third of the weight of the others; with the least of all, a busy machine would starve it until its
 * callers have gone.
 */
const NICENESS = 5

if (process.platform === 'linux') {
  try {
    setPriority(NICENESS)
  } catch { // a sandbox that forbids it: all threads then have the same part of each core
  }
}
