/** Has this thread give way to those that answer reviews, from its first module on. Elsewhere than on Linux it would be the whole process: setpriority(2). */
import { constants, setPriority } from 'node:os'

if (process.platform === 'linux') {
  try {
    setPriority(constants.priority.PRIORITY_LOW)
  } catch { // a sandbox that forbids it: all threads then have the same part of each core
  }
}
