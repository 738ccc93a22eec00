/** What to say to somebody. */
export function greeting(name) {
  return `Hello, ${name}.`
}
