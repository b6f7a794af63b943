type Attributes = Readonly<Record<string, string>>

/** A new element; texts are text, never markup. */
export function element (name: string, attributes: Attributes = {}, ...children: ReadonlyArray<Node | string>): HTMLElement {
  const made = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value)
  made.append(...children)
  return made
}

/** The element of the page with this id. Throws where there is none: the page and this program belong together. */
export function elementOf<T extends HTMLElement> (id: string, type: new () => T): T {
  const found = document.getElementById(id)
  if (!(found instanceof type)) throw new Error(`the page has no ${type.name} #${id}`)
  return found
}
