/** The two texts that people write, both YAML. */
export interface Texts {
  readonly configs: string
  readonly services: string
}

/** Which of the two. */
export type TextName = keyof Texts

export const TEXT_NAMES = ['configs', 'services'] as const satisfies readonly TextName[]
