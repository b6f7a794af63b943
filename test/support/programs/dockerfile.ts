import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rm, stat, symlink } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

/** The result of a Dockerfile: the folder of its last stage, and the configuration of a container. */
export interface BuiltImage {
  readonly root: string
  /** In the container. */
  readonly workdir: string
  readonly env: Readonly<Record<string, string>>
  readonly user: string
  readonly labels: string
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  /** The base of each stage. */
  readonly bases: readonly string[]
}

interface Stage {
  name: string
  root: string
  workdir: string
  env: Record<string, string>
  user: string
  labels: string
  entrypoint: string[]
  cmd: string[]
}

interface Step { readonly instruction: string, readonly rest: string }

/** Whether npm runs as the Dockerfile says, which takes half a minute: in CI. */
const INSTALLS = process.env['CI'] !== undefined

/** The instructions in the Dockerfile of the project. Source: docs.docker.com, Dockerfile reference. */
const INSTRUCTIONS: Readonly<Record<string, (rest: string, stage: Stage, build: Build) => Promise<void> | void>> = {
  WORKDIR: async (rest, stage) => {
    stage.workdir = path.posix.resolve(stage.workdir, rest)
    await mkdir(path.join(stage.root, stage.workdir), { recursive: true })
  },
  ENV: (rest, stage) => { Object.assign(stage.env, Object.fromEntries([rest.split('=')])) },
  LABEL: (rest, stage) => { stage.labels += rest },
  USER: (rest, stage) => { stage.user = rest },
  EXPOSE: () => {},
  ENTRYPOINT: (rest, stage) => { stage.entrypoint = JSON.parse(rest) as string[] }, // exec form
  CMD: (rest, stage) => { stage.cmd = JSON.parse(rest) as string[] }, // exec form
  COPY: copy,
  RUN: async (rest, stage, { context }) => {
    const modules = path.join(stage.root, stage.workdir, 'node_modules')
    if (!INSTALLS && /^npm ci( --\S+)+$/.test(rest)) {
      await symlink(path.join(context, 'node_modules'), modules)
    } else if (!INSTALLS && /^npm prune --omit=dev( --\S+)+$/.test(rest)) {
      await copyProduction(context, modules)
    } else {
      await promisify(execFile)('/bin/sh', ['-c', rest], {
        cwd: path.join(stage.root, stage.workdir),
        env: { ...process.env, ...stage.env },
        maxBuffer: 16 * 1024 * 1024
      })
    }
  }
}

interface Build {
  readonly context: string
  readonly stages: readonly Stage[]
  readonly ignored: (file: string) => boolean
}

/**
 * Runs the steps of a Dockerfile below an empty folder. Rejects at the first failure. The programs of this machine
 * replace those of the base images; outside CI, the installed packages of the project replace an installation.
 */
export async function runSteps (context: string, folder: string): Promise<BuiltImage> {
  const stages: Stage[] = []
  const bases: string[] = []
  const build = { context, stages, ignored: await ignoredIn(context) }
  for (const { instruction, rest } of stepsOf(await readFile(path.join(context, 'Dockerfile'), 'utf8'))) {
    if (instruction === 'FROM') {
      const [base = '', , name = String(stages.length)] = rest.split(/\s+/)
      bases.push(base)
      stages.push({
        name,
        root: path.join(folder, name),
        workdir: '/',
        env: {},
        user: '',
        labels: '',
        entrypoint: [],
        cmd: []
      })
      continue
    }
    const stage = stages.at(-1)
    const apply = INSTRUCTIONS[instruction]
    if (stage === undefined || apply === undefined) throw new Error(`${instruction} is not supported`)
    await apply(rest, stage, build)
  }
  const last = stages.at(-1)
  if (last === undefined) throw new Error('the Dockerfile has no stage')
  return { ...last, bases }
}

/** Replaces the link to the installed packages with those that the lock file does not mark as `dev`. */
async function copyProduction (context: string, modules: string): Promise<void> {
  const lockFile = await readFile(path.join(path.dirname(modules), 'package-lock.json'), 'utf8')
  const { packages } = JSON.parse(lockFile) as { packages: Record<string, { dev?: true }> } // lockfileVersion 3
  const names = Object.keys(packages).filter((name) =>
    /^node_modules\/(?!.*\/node_modules\/)/.test(name) && packages[name]?.dev !== true && existsSync(path.join(context, name)))
  await rm(modules)
  await link(names, path.dirname(modules), context)
}

/** Copies by hard links where the file system can: no step changes a file. */
async function link (names: readonly string[], folder: string, cwd: string): Promise<void> {
  const copy = async (flags: string) =>
    await promisify(execFile)('cp', [flags, '--parents', '--', ...names, folder], { cwd })
  await copy('-al').catch(async () => await copy('-a'))
}

function stepsOf (dockerfile: string): Step[] {
  const lines = dockerfile.replace(/^#.*\n/gm, '').replace(/\\\n\s*/g, '').split('\n')
  return lines.filter((line) => line.trim() !== '').map((line) => {
    const [instruction = '', ...rest] = line.split(' ')
    return { instruction, rest: rest.join(' ').trim() }
  })
}

/** Copies the contents of a folder, or a file; into a folder if the target ends with a slash. */
async function copy (rest: string, { root, workdir }: Stage, build: Build): Promise<void> {
  const words = rest.split(/\s+/)
  const [, stageName] = /^--from=(\S+)/.exec(rest) ?? []
  const source = sourceOf(stageName, build)
  const given = words.at(-1) ?? ''
  const target = path.join(root, path.posix.resolve(workdir, given))
  for (const word of words.slice(stageName === undefined ? 0 : 1, -1)) {
    // a large folder
    if (path.posix.basename(word) === 'node_modules') {
      await link(['node_modules'], path.dirname(target), path.dirname(path.join(source, word)))
      continue
    }
    if (stageName === undefined && build.ignored(word)) throw new Error(`.dockerignore excludes ${word}`)
    const file = path.join(source, word)
    const isInto = given.endsWith('/') && (await stat(file)).isFile()
    await cp(file, isInto ? path.join(target, path.basename(word)) : target, {
      recursive: true,
      verbatimSymlinks: true
    })
  }
}

/** The build context, or the root of an earlier stage. */
function sourceOf (stageName: string | undefined, { context, stages }: Build): string {
  if (stageName === undefined) return context
  const stage = stages.find(({ name }) => name === stageName)
  if (stage === undefined) throw new Error(`there is no stage ${stageName}`)
  return stage.root
}

/** Supports the two forms in the file of the project: `*` first, then included names. */
async function ignoredIn (context: string): Promise<(file: string) => boolean> {
  const patterns = (await readFile(path.join(context, '.dockerignore'), 'utf8')).split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  const [first, ...included] = patterns
  if (first !== '*' || included.some((pattern) => !/^![\w.-]+$/.test(pattern))) {
    throw new Error('.dockerignore has an unsupported pattern')
  }
  const present = await readdir(context)
  for (const pattern of included) {
    const name = pattern.slice(1)
    if (!present.includes(name)) throw new Error(`.dockerignore includes ${name}, which does not exist`)
  }
  return (file) => !included.includes(`!${file.split('/')[0]}`)
}
