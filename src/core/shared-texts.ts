/** Texts of which equal ones are kept once. Forgets them all where there are too many: what is kept elsewhere stays, and is then shared anew. */
export class SharedTexts {
  readonly #texts = new Map<string, string>()

  of (text: string): string {
    const known = this.#texts.get(text)
    if (known !== undefined) return known
    if (this.#texts.size >= MAX_TEXTS) this.#texts.clear()
    this.#texts.set(text, text)
    return text
  }
}

const MAX_TEXTS = 50_000
