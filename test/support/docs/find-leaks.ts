/** Forms of a private key: PEM, and base64 of PEM at each of its three offsets. */
const KEY_HEADER = /-----BEGIN [A-Z ]*PRIVATE KEY-----/
const ENCODED_HEADERS = [0, 1, 2].map((offset) =>
  Buffer.from('\n'.repeat(offset) + '-----BEGIN PRIVATE KEY-----').toString('base64').slice(offset === 0 ? 0 : 4, -4)
)

/** Minimum length of a leaked piece in characters: shorter matches may be chance. */
const SHORTEST = 12

type Texts = Readonly<Record<string, string>>

/** Texts that hold a private key, a secret, or a line of a secret, in plain form or as base64. */
export function findLeaks (texts: Texts, secrets: Texts): string[] {
  const pieces = Object.entries(secrets).flatMap(([name, secret]) =>
    piecesOf(secret).map((piece) => [name, piece] as const)
  )
  return Object.entries(texts).flatMap(([where, text]) => [
    ...(KEY_HEADER.test(text) ? [`${where} holds a private key`] : []),
    ...(ENCODED_HEADERS.some((header) => text.includes(header)) ? [`${where} holds the base64 of a private key`] : []),
    ...new Set(pieces.filter(([, piece]) => text.includes(piece)).map(([name]) => `${where} holds ${name}`))
  ])
}

function piecesOf (secret: string): string[] {
  const lines = secret.split('\n').filter((line) => line.length >= SHORTEST && !line.startsWith('-----'))
  return [
    ...lines,
    Buffer.from(secret).toString('base64'),
    ...lines.map((line) => Buffer.from(line).toString('base64'))
  ]
}
