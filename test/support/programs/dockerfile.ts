import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

/**
 * What a Dockerfile makes: the folder that stands for the root of its last stage, and how a container of it would
 * start.
 */
export interface BuiltImage {
  readonly root: string
  /** As seen in the container. */
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

/** The part of the Dockerfile language that the project's own uses. Source: docs.docker.com, Dockerfile reference. */
const INSTRUCTIONS: Readonly<Record<string, (rest: string, stage: Stage, build: Build) => Promise<void> | void>> = {
  WORKDIR: async (rest, stage) => {
    stage.workdir = path.posix.resolve(stage.workdir, rest)
    await mkdir(path.join(stage.root, stage.workdir), { recursive: true })
  },
  ENV: (rest, stage) => { Object.assign(stage.env, Object.fromEntries([rest.split('=')])) },
  LABEL: (rest, stage) => { stage.labels += rest },
  USER: (rest, stage) => { stage.user = rest },
  EXPOSE: () => {},
  ENTRYPOINT: (rest, stage) => { stage.entrypoint = JSON.parse(rest) as string[] }, // the form without a shell is JSON
  CMD: (rest, stage) => { stage.cmd = JSON.parse(rest) as string[] }, // likewise
  COPY: copy,
  RUN: async (rest, stage) => {
    await promisify(execFile)('/bin/sh', ['-c', rest], {
      cwd: path.join(stage.root, stage.workdir),
      env: { ...process.env, ...stage.env },
      maxBuffer: 16 * 1024 * 1024
    })
  }
}

interface Build {
  readonly context: string
  readonly stages: readonly Stage[]
  readonly ignored: (file: string) => boolean
}

/**
 * Carries out a Dockerfile's steps below an empty folder, with the programs of this machine in place of the base
 * images'. Rejects at the first that fails.
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
    const carry = INSTRUCTIONS[instruction]
    if (stage === undefined || carry === undefined) throw new Error(`${instruction} is not known here`)
    await carry(rest, stage, build)
  }
  const last = stages.at(-1)
  if (last === undefined) throw new Error('the Dockerfile has no stage')
  return { ...last, bases }
}

function stepsOf (dockerfile: string): Step[] {
  return dockerfile.replace(/^#.*\n/gm, '').replace(/\\\n\s*/g, '').split('\n').filter((line) => line.trim() !== '').map((line) => {
    const [instruction = '', ...rest] = line.split(' ')
    return { instruction, rest: rest.join(' ').trim() }
  })
}

/** A folder's contents are copied, and a file into a folder where the target ends with a slash. */
async function copy (rest: string, { root, workdir }: Stage, build: Build): Promise<void> {
  const words = rest.split(/\s+/)
  const [, stageName] = /^--from=(\S+)/.exec(rest) ?? []
  const source = sourceOf(stageName, build)
  const given = words.at(-1) ?? ''
  const target = path.join(root, path.posix.resolve(workdir, given))
  for (const word of words.slice(stageName === undefined ? 0 : 1, -1)) {
    if (stageName === undefined && build.ignored(word)) throw new Error(`${word} is kept out by .dockerignore`)
    const file = path.join(source, word)
    const isInto = given.endsWith('/') && (await stat(file)).isFile()
    await cp(file, isInto ? path.join(target, path.basename(word)) : target, {
      recursive: true,
      verbatimSymlinks: true
    })
  }
}

/** The build's context, or the root of an earlier stage. */
function sourceOf (stageName: string | undefined, { context, stages }: Build): string {
  if (stageName === undefined) return context
  const stage = stages.find(({ name }) => name === stageName)
  if (stage === undefined) throw new Error(`there is no stage ${stageName}`)
  return stage.root
}

/** The two forms that the project's file has: everything at the top, and names that stay. */
async function ignoredIn (context: string): Promise<(file: string) => boolean> {
  const patterns = (await readFile(path.join(context, '.dockerignore'), 'utf8'))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  const [first, ...kept] = patterns
  if (first !== '*' || kept.some((pattern) => !/^![\w.-]+$/.test(pattern))) { throw new Error('.dockerignore has a pattern that is not known here') }
  const present = await readdir(context)
  for (const pattern of kept) {
    if (!present.includes(pattern.slice(1))) { throw new Error(`.dockerignore keeps ${pattern.slice(1)}, which is not there`) }
  }
  return (file) => !kept.includes(`!${file.split('/')[0]}`)
}
