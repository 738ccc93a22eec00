/** Every page of the reference by its file name, from a directory of declarations. */
export function libraryReference(types: string): Map<string, string>
/** Public names without a docstring. */
export function undocumented(types: string): string[]
