import { textsOf, type Texts } from './texts.ts'

export interface Example extends Texts {
  /** In links and tests: `custom-path`. */
  readonly name: string
  readonly title: string
  /** What it shows, in one or two sentences. */
  readonly about: string
  /** The configurations before a change, which the tab "What if" compares with. */
  readonly before?: string
}

const FILES: Readonly<Record<string, string>> = import.meta.glob(['../deploy/examples/*.yaml', './what-if.yaml'], {
  query: '?raw',
  import: 'default',
  eager: true
})

function fileOf (name: string): string {
  return Object.entries(FILES).find(([file]) => file.endsWith(`/${name}.yaml`))?.[1] ?? ''
}

function example (name: string, title: string): Example {
  const text = fileOf(name)
  const about = [...text.matchAll(/^# (.*)\n(?=#|\S)/gm)].map(([, line]) => line).join(' ')
  return { name, title, about, ...textsOf([text]).texts }
}

/** An example with one change of its services. */
function changed (base: string, { name, title, about, change }: Changed): Example {
  const { configs, services } = example(base, '')
  return { name, title, about, configs, services: change(services) }
}

interface Changed extends Pick<Example, 'name' | 'title' | 'about'> {
  readonly change: (services: string) => string
}

function whatIfExample (): Example {
  const { configs, services, about } = example('what-if', '')
  return {
    name: 'what-if',
    title: '6. What a change would do',
    about,
    before: configs,
    configs: configs.replace(/(pathTemplate: ).*/, "$1\"/{.metadata.labels['team']}/{.metadata.name}\""),
    services
  }
}

/** In the order in which they tell what the product does. */
export const STORY: readonly Example[] = [
  example('quick-start', '1. A service gets its settings'),
  example('custom-path', '2. Paths from labels'),
  changed('custom-path', {
    name: 'missing-label',
    title: '3. A mistake, and its fix',
    about: 'The path template needs the label team, and the first service has none: it is refused. Press the button.',
    change: (services) => services.replace(/ {2}labels:\n {4}team: NLP\n/, '')
  }),
  changed('custom-path', {
    name: 'path-conflict',
    title: '4. Two services, one path',
    about: 'The second service asks for the path that the first one holds: it is refused, and the holder is named.',
    change: (services) => services.replace(/"\/public\/.*"/, '/ml-apps/nlp/translator')
  }),
  example('precedence', '5. Namespace before cluster'),
  whatIfExample()
]

/** The other files of deploy/examples. */
export const SETTINGS: readonly Example[] = [
  example('cluster-wide', 'Defaults of the cluster'),
  example('complete', 'Every setting'),
  example('model-scope', 'Models and images'),
  example('private-registry', 'Pull secrets'),
  example('routing', 'Routing'),
  example('service-account', 'Service accounts'),
  example('several-configs', 'Several configurations'),
  example('storage', 'Storage')
]
