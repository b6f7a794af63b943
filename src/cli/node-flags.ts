// The first import of the program. V8 sizes its heap and Node starts its threads before any module loads, where
// `v8.setFlagsFromString` has no effect, so a process of `serve` or `reconcile` replaces itself once. That takes 0.1 s.

/** By measurement: docs/notes/performance-experiments.md, "Memory and start" and "Under faults". */
const FLAGS = [
  '--v8-pool-size=1',
  '--heap-growing-percent=200',
  '--max-semi-space-size=8',
  '--max-old-space-size-percentage=75',
  '--expose-gc'
] as const

/** The flags that Node was not given. `--max-old-space-size` takes the place of the percentage. */
export function missingFlags (given: string): string[] {
  const names = given.replaceAll('_', '-')
  return FLAGS.filter((flag) => !names.includes(flag.replace(/^--|(?:-percentage)?=.*$/g, '')))
}

const { argv, argv0, execArgv, env, execPath, platform, connected } = process
const missing = missingFlags([...execArgv, env['NODE_OPTIONS']].join(' '))
const canReplaceItself = platform !== 'win32' && !connected // the channel to a parent process would close
if (canReplaceItself && missing.length > 0 && ['serve', 'reconcile'].includes(argv[2] ?? '')) {
  process.execve?.(execPath, [argv0, ...execArgv, ...missing, ...argv.slice(1)])
}
