import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until something is so. What never comes to be ends with the time that the test has. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(5)
}
