/**
 * What a private key looks like wherever it is written: as PEM, and as the base64 of PEM at each of its three offsets.
 */
const KEY_HEADER = /-----BEGIN [A-Z ]*PRIVATE KEY-----/
const ENCODED_HEADERS = [0, 1, 2].map((offset) =>
  Buffer.from('\n'.repeat(offset) + '-----BEGIN PRIVATE KEY-----')
    .toString('base64')
    .slice(offset === 0 ? 0 : 4, -4)
)

/** Shortest piece of a secret that counts, in characters: anything shorter may be there by chance. */
const SHORTEST = 12

/**
 * Which of these texts, by name, hold a private key, or one of the given secrets or a line of it, as it is or as
 * base64.
 */
export function findLeaks (texts: Readonly<Record<string, string>>, secrets: Readonly<Record<string, string>>): string[] {
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
