// The first import of the program: what must be settled before any other module loads.
// V8 sizes its heap and Node starts its threads before, where `v8.setFlagsFromString` has no effect, so a process of
// `serve` or `reconcile` replaces itself once. That takes 0.1 s.

/** By measurement: docs/notes/performance-experiments.md, "Memory and start" and "Under faults". */
const FLAGS = ['--v8-pool-size=1', '--heap-growing-percent=200', '--max-semi-space-size=8', '--expose-gc'] as const
/** The first releases of Node 24 do not have it. */
const OF_LATER_NODE = '--max-old-space-size-percentage'

/** The flags that Node has and was not given. `--max-old-space-size` takes the place of the percentage. */
export function missingFlags (given: string, supported: ReadonlySet<string>): string[] {
  const names = given.replaceAll('_', '-')
  const flags = supported.has(OF_LATER_NODE) ? [...FLAGS, `${OF_LATER_NODE}=75`] : FLAGS
  return flags.filter((flag) => !names.includes(flag.replace(/^--|(?:-percentage)?=.*$/g, '')))
}

const { argv, argv0, execArgv, env, execPath, platform, connected } = process
const canReplaceItself = platform !== 'win32' && !connected // the channel to a parent process would close
if (canReplaceItself && ['serve', 'reconcile'].includes(argv[2] ?? '')) {
  const given = [...execArgv, env['NODE_OPTIONS']].join(' ')
  const missing = missingFlags(given, process.allowedNodeEnvironmentFlags)
  if (missing.length > 0) process.execve?.(execPath, [argv0, ...execArgv, ...missing, ...argv.slice(1)])
}

// The API group is a constant of the process.
const FLAG = '--api-group'
const at = argv.findIndex((arg) => arg === FLAG || arg.startsWith(`${FLAG}=`))
const group = argv[at] === FLAG ? argv[at + 1] : argv[at]?.slice(FLAG.length + 1)
if (at !== -1 && group !== undefined) env['AIM_ADMISSION_API_GROUP'] = group
