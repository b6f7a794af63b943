// Loaded by `--import` before the program: a signal causes a defect.
import { Server } from 'node:net'

process.on('SIGUSR2', () => { throw new Error('an uncaught exception') })
process.on('SIGHUP', () => { Promise.withResolvers<never>().reject(new Error('an unhandled rejection')) })
// servers never close
process.on('SIGWINCH', () => { Server.prototype.close = function () { return this } })
