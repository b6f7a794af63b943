/** A process that attacks as it is told by its IPC channel, so that what so many sockets take is not taken from the load beside it. Says when all are open. */
import { attack } from './hostile-sockets.ts'
import type { Attack } from './hostile-sockets.ts'

process.on('message', (told: Attack) => {
  attack(told).then((sockets) => process.send?.(sockets.length), (error: unknown) => { throw error })
})
