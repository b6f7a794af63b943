// Loaded before the program by `--import`, it brings the defects that a test asks for by a signal.
import { Server } from 'node:net'

process.on('SIGUSR2', () => { throw new Error('a defect that nobody caught') })
process.on('SIGHUP', () => { Promise.withResolvers<never>().reject(new Error('a rejection that nobody caught')) })
// a server that is told to close never does
process.on('SIGWINCH', () => { Server.prototype.close = function () { return this } })
