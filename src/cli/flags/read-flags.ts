import { Command, InvalidArgumentError, Option } from 'commander'
import { PREFIX, SYSTEM_NAMESPACE } from '../../api/meta.ts'
import { SERVICE_POLICIES } from '../../core/rules/service.ts'
import type { PathPolicy } from '../../core/world.ts'
import { parseDuration } from '../../platform/clock.ts'

export function newCommand (name: string, description: string, flags: readonly Option[]): Command {
  const command = new Command(name).description(description)
  for (const option of flags) command.addOption(option)
  return command
}

/** A flag with the environment variable of its name: `AIM_ADMISSION_PROBE_PORT` for `--probe-port`. */
export function flag (flags: string, description: string, defaultValue?: string): Option {
  const option = new Option(flags, description)
  const variable = (option.long ?? '').replace('--', '').replaceAll('-', '_').toUpperCase()
  return option.env(`AIM_ADMISSION_${variable}`).default(defaultValue)
}

/**
 * Switches off the flags without value whose variable says so: for commander, any value of a variable is on. Ends the
 * program at an unknown value. Source of the values: Go, strconv.ParseBool.
 */
export function readSwitches (command: Command): void {
  for (const option of command.options) {
    const { envVar = '' } = option
    const name = option.attributeName()
    if (!option.isBoolean() || command.getOptionValueSource(name) !== 'env') continue
    const value = process.env[envVar] ?? ''
    if (/^(?:|0|f|false)$/i.test(value)) command.setOptionValueWithSource(name, undefined, 'default')
    else if (!/^(?:1|t|true)$/i.test(value)) command.error(`error: ${envVar} must be true or false, not "${value}"`)
  }
}

/** A list: the flag is given several times, or its values are separated by commas. */
export function listFlag (flags: string, description: string): Option {
  return flag(flags, description).default([], 'none').argParser((text: string, before: readonly string[]) => [
    ...before,
    ...text.split(',').map((item) => item.trim()).filter((item) => item !== '')
  ])
}

/** Files as kubectl accepts them: repeated, or separated by commas; quotes protect a comma in a name. */
export function filesFlag (flags: string, description: string): Option {
  return flag(flags, description).argParser((text: string, before: readonly string[] | undefined) => [
    ...before ?? [],
    ...Array.from(text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"(?=,|$)|([^,]*))/g), ([, quoted, plain]) =>
      quoted?.replaceAll('""', '"') ?? plain ?? '')
  ])
}

export function namespaceFlag (): Option {
  return flag('--namespace <name>', 'namespace of the program', SYSTEM_NAMESPACE)
}

/** Its value is read by `before-start.ts`, before all else. */
export function apiGroupFlag (): Option {
  return flag('--api-group <group>', 'API group of the three kinds, as their definitions have it', PREFIX)
    .argParser((group) => {
      if (/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(group) && group.includes('.')) return group
      throw new InvalidArgumentError('It must be a DNS name, such as aim.example.com.')
    })
}

export function missingConfigFlag (): Option {
  return flag('--missing-config <action>', 'action for a service without its runtime configuration', 'warn')
    .choices(SERVICE_POLICIES.missingConfig)
}

export function injectFlag (): Option {
  return flag('--inject <parts>', 'what admission writes into services: record, or record,fields to fill their unset ' +
    'fields for an operator that reads only those', 'record')
}

/** `record` is always among the parts. */
export function injectOf (text: string, problems: string[]): PathPolicy['inject'] {
  const parts = text.split(',')
  if (!parts.every((part) => part === 'record' || part === 'fields')) {
    problems.push(`--inject must be a list of record, fields, not "${text}"`)
  }
  return parts.includes('fields') ? 'record,fields' : 'record'
}

interface Bounds { readonly from?: number, readonly to: number }

/** Readers of flags by their property names: `probePort` for `--probe-port`. An unusable value becomes a problem. */
export function flagReader<Flags extends object> (flags: Flags, problems: string[]) {
  type Name = { [Key in keyof Flags]: Flags[Key] extends string | undefined ? Key : never }[keyof Flags] & string
  const textOf = (name: Name): string => String(flags[name])
  const refuse = (name: Name, expected: string): void => {
    const flag = name.replaceAll(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)
    problems.push(`--${flag} must be ${expected}, not "${textOf(name)}"`)
  }
  return {
    wholeNumber: (name: Name, { from = 0, to }: Bounds): number => {
      const number = /^\d{1,6}$/.test(textOf(name)) ? Number(textOf(name)) : NaN
      if (!(number >= from && number <= to)) refuse(name, `a whole number from ${from} to ${to}`)
      return number
    },
    /** Such as `500ms`, in milliseconds; the bounds are in seconds. */
    duration: (name: Name, { from = 0, to }: Bounds): number => {
      const ms = parseDuration(textOf(name))
      const isWithin = ms >= from * 1_000 && ms <= to * 1_000
      if (!isWithin) refuse(name, `a duration from ${from}s to ${to}s, such as 500ms or 3s`)
      return ms
    },
    oneOf: <const Choice extends string> (name: Name, choices: readonly [Choice, ...Choice[]]): Choice => {
      const chosen = choices.find((choice) => choice === textOf(name))
      if (chosen === undefined) refuse(name, `one of ${choices.join(', ')}`)
      return chosen ?? choices[0]
    }
  }
}

/** Ends the program if there is a problem. */
export function failWith (problems: readonly string[], command: Command): void {
  if (problems.length > 0) command.error(problems.map((problem) => `error: ${problem}`).join('\n'), { exitCode: 2 })
}

/** What `read` returns, frozen. Throws one line with every problem. */
export function withoutProblems<T extends object> (read: (problems: string[]) => T): T {
  const problems: string[] = []
  const settings = Object.freeze(read(problems))
  if (problems.length > 0) throw new Error(problems.join('; '))
  return settings
}
