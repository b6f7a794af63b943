/** Preloaded by each benchmark: an exit ends the programs that it started (see `endWithUs`), a bare signal does not. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 }

for (const [signal, code] of Object.entries(SIGNALS)) process.once(signal, () => { process.exit(code) })
