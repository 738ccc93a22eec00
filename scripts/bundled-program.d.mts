export function bundleProgram(program: string, outfile: string): Promise<void>
export function runProgram(program: string, options?: { readonly alone?: boolean }): Promise<void>
