/** How a server wants to be told who asks (RFC 9110, 11.6.1). Names of parameters are in lower case. */
export interface Challenge {
  readonly scheme: 'bearer' | 'basic' | 'other'
  readonly parameters: Readonly<Record<string, string>>
}

/** The challenges of a `WWW-Authenticate`, in their order; what cannot be read is left out. */
export function challengesOf(header: string | undefined): Challenge[] {
  const challenges: { scheme: Challenge['scheme']; parameters: Record<string, string> }[] = []
  const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
  const part = new RegExp(`\\s*,?\\s*(${token})(?:\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))|(?=\\s|,|$))`, 'y')
  // A header is an answer of somebody else's: no longer one is looked at than any registry sends.
  const text = (header ?? '').slice(0, 8192)
  for (let match = part.exec(text); match !== null && match[0] !== ''; match = part.exec(text)) {
    const [, name = '', quoted, bare] = match
    const value = quoted?.replace(/\\(.)/g, '$1') ?? bare
    if (value === undefined) challenges.push({ scheme: schemeOf(name), parameters: {} })
    else if (challenges.length > 0) challenges.at(-1)!.parameters[name.toLowerCase()] = value
  }
  return challenges
}

function schemeOf(name: string): Challenge['scheme'] {
  const scheme = name.toLowerCase()
  return scheme === 'bearer' || scheme === 'basic' ? scheme : 'other'
}
