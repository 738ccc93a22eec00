/** A command line that cannot be read, found before the library is loaded. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code = 'PLY_USAGE'
  readonly details: Readonly<Record<string, unknown>>

  constructor(reason: string) {
    super(reason)
    this.details = { reason }
  }
}
