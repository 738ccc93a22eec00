import type { ByteString } from '../model/bytes.ts'

/** Something in a text that nobody but its owner should have. */
export interface Secret {
  readonly what: string
  /** Of the text, from 1. */
  readonly line: number
  /** The first characters alone: a report is read by many. */
  readonly begins: string
}

const builtIn: Readonly<Record<string, RegExp>> = {
  // With something inside: documents and tests name the line alone.
  'private key':
    /-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n)+(?:[\w-]+: [^\n]{0,200}\n){0,5}\s*[A-Za-z0-9+/=]{20,}/,
  'AWS access key': /\b(?:AKIA|ASIA)(?![A-Z0-9]{9}EXAMPLE)[A-Z2-7]{16}\b/,
  'GitHub token': /\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_[A-Za-z0-9_]{80,90}\b/,
  'GitLab token': /\bglpat-[A-Za-z0-9_-]{20,60}(?![\w-])/,
  'Slack token': /\bxox[abeprs]-[0-9]{8,14}-[A-Za-z0-9-]{10,100}/,
  'npm token': /\bnpm_[A-Za-z0-9]{36}\b|:_authToken=[A-Za-z0-9-]{30,100}/,
  'Google API key': /\bAIza[A-Za-z0-9_-]{35}(?![\w-])/,
  'Stripe key': /\b[rs]k_live_[A-Za-z0-9]{24,100}\b/,
  'PyPI token': /\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,250}/,
  'registry password': /"auths"\s*:\s*\{[^}]{0,500}"auth"\s*:\s*"[A-Za-z0-9+/]{8,}={0,2}"/,
}

/** What each of them has in it somewhere, so that most texts are passed over by one look. */
const hints =
  /PRIVATE KEY|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|npm_|_authToken|AIza|k_live_|pypi-|"auths"/

/** Names of variables that hold what should not be in an image. */
const telling = /(?:^|_)(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|CREDENTIALS?)(?:_|$)/i

/** Looks for secrets in texts: byte strings, of files or of a config. */
export class SecretSearch {
  readonly #patterns: readonly (readonly [string, RegExp])[]
  readonly #ownHints: boolean

  constructor(rules: { readonly builtIn: boolean; readonly patterns: Readonly<Record<string, RegExp>> }) {
    this.#patterns = [...Object.entries(rules.builtIn ? builtIn : {}), ...Object.entries(rules.patterns)]
    this.#ownHints = Object.keys(rules.patterns).length === 0
  }

  /** The first of each kind. */
  *in(text: ByteString): Generator<Secret> {
    if (this.#ownHints && !hints.test(text)) return
    for (const [what, pattern] of this.#patterns) {
      const found = pattern.exec(text)
      if (found === null) continue
      let line = 1
      for (let at = text.indexOf('\n'); at >= 0 && at < found.index; at = text.indexOf('\n', at + 1)) line++
      const shown = found[0].replace(/\s.*$/s, '')
      yield { what, line, begins: `${shown.slice(0, 8)}…` }
    }
  }

  /** A variable whose name says that its value is one. */
  isTelling(name: string, value: string): boolean {
    // What a variable refers to by a file is not in it.
    return value.length > 3 && telling.test(name) && !/_FILE$/i.test(name) && !/^[/$]/.test(value)
  }
}
