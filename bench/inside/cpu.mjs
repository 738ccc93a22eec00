/** User and system time of this process so far, all threads, in seconds. */
export function cpuSeconds() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/**
 * What something takes the first and the second time that this process does it, and the medians of so many times after that, of which half
 * let the compiler come along: wall and CPU time in milliseconds.
 */
export async function measured(act, times) {
  const once = async () => {
    const [wall, cpu] = [performance.now(), cpuSeconds()]
    await act()
    return { wall: performance.now() - wall, cpu: (cpuSeconds() - cpu) * 1000 }
  }
  const first = await once()
  const later = []
  for (let time = 0; time < times; time++) later.push(await once())
  const median = (key) => {
    const sorted = later
      .slice(times >> 1)
      .map((one) => one[key])
      .sort((a, b) => a - b)
    return sorted[(sorted.length - 1) >> 1] ?? first[key]
  }
  const second = later[0] ?? first
  return {
    firstWall: first.wall,
    firstCpu: first.cpu,
    secondWall: second.wall,
    secondCpu: second.cpu,
    wall: median('wall'),
    cpu: median('cpu'),
  }
}
