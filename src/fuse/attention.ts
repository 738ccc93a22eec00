/** Where requests come from. */
export interface Requests {
  /** Takes one if one is there: its length; 0: there is none yet; `undefined`: none will ever come. */
  take(): number | undefined
  /** Returns when there is something to take, or after so many milliseconds. Default: however long it takes. */
  sleep(milliseconds?: number): void
}

export interface AttentionOptions {
  /** Milliseconds, never going back. */
  readonly now: () => number
  /** Of those, how many this thread has been ready to run and had no processor; `undefined`: nobody knows. */
  readonly waited: (() => number) | undefined
  /** How many processors there are to run on. */
  readonly processors: number
  /** The other processors: they are kept awake while this server is, and a little longer. Default: they sleep as they like. */
  readonly others?: { readonly keepAwake: () => void; readonly letSleep: () => void } | undefined
}

/** So long, in milliseconds, it is asked for the next request before going to sleep. */
export const spell = 0.06
/** What came within so many milliseconds of sleep would have come sooner to who was awake: being woken is part of it. */
const soon = 0.2
const shortestRest = 10
const longestRest = 2000
/** What counts against asking: to have asked in vain, and more so if the request came as soon as this thread slept. */
const inVain = 2
const inTheWay = 4
const mostTrust = 16
/** It is looked every so many requests whether others want the processor, over so many milliseconds at least. */
const requestsBetweenLooks = 16
const shortestLook = 8
/** So much of the time without a processor says that they do. */
const tooMuch = 0.25
/** So many milliseconds without others, and it is as if there had never been any. */
const quiet = 100
/** So many milliseconds without a request, and the other processors may sleep. */
const patience = 5

/**
 * How a server waits for the next request: asleep, or, while one comes soon after the other, awake and asking over and over. To send
 * a thread to sleep and have it woken from another processor takes longer than most requests do, for who serves and for who asks,
 * and in a virtual machine several times as long.
 *
 * Asking takes a processor that others may want. So it ends after `spell`, does not begin where there is only one, and rests, up to two
 * seconds at a time, while others push this thread aside, or where requests come only once it sleeps.
 */
export class Attention {
  readonly #now: () => number
  readonly #waited: () => number
  readonly #mayAsk: boolean
  readonly #others: AttentionOptions['others']
  #keepsAwake = false
  #awake = false
  /** Goes up with each request that came while asking. */
  #trust = 0
  #rest = shortestRest
  #restsUntil = Number.NEGATIVE_INFINITY
  #requests = 0
  #lookedSince = Number.NEGATIVE_INFINITY
  #waitedBefore = 0

  constructor({ now, waited, processors, others }: AttentionOptions) {
    this.#now = now
    this.#waited = waited ?? (() => 0)
    this.#mayAsk = processors > 1 && waited !== undefined
    this.#others = others
  }

  /** Waits for the next request; its length, or `undefined` when none will ever come. */
  next(requests: Requests): number | undefined {
    if (!this.#awake) return this.#asleep(requests, 0)
    const length = this.#asking(requests)
    return length === 0 ? this.#asleep(requests, inVain) : length
  }

  #asking(requests: Requests): number | undefined {
    let length = requests.take()
    if (length === 0) {
      const until = this.#now() + spell
      do for (let i = 0; i < 16 && length === 0; i++) length = requests.take()
      while (length === 0 && this.#now() < until)
    }
    if (length === 0) return 0
    if (this.#trust < mostTrust) this.#trust++
    if (++this.#requests >= requestsBetweenLooks) this.#look()
    return length
  }

  /** @param mistake what it counts to have asked before */
  #asleep(requests: Requests, mistake: number): number | undefined {
    const from = this.#now()
    let length: number | undefined = 0
    if (this.#keepsAwake) {
      requests.sleep(patience)
      length = requests.take()
      if (length === 0) this.#leaveOthers()
    }
    while (length === 0) {
      requests.sleep()
      length = requests.take()
    }
    if (!this.#mayAsk) return length
    const now = this.#now()
    const cameSoon = now - from < soon
    if (mistake > 0) this.#trust -= cameSoon ? inTheWay : mistake
    if (this.#trust < 0) this.#giveWay(now)
    this.#awake = cameSoon && now >= this.#restsUntil
    if (this.#awake) {
      if (now - this.#lookedSince > quiet) this.#lookFrom(now)
      if (this.#others && !this.#keepsAwake) {
        this.#others.keepAwake()
        this.#keepsAwake = true
      }
    }
    return length
  }

  #leaveOthers(): void {
    this.#others?.letSleep()
    this.#keepsAwake = false
  }

  #look(): void {
    this.#requests = 0
    const now = this.#now()
    const time = now - this.#lookedSince
    if (time < shortestLook) return
    if (this.#waited() - this.#waitedBefore > tooMuch * time) this.#giveWay(now)
    else if (time > quiet) {
      this.#rest = shortestRest
      this.#lookFrom(now)
    }
  }

  #lookFrom(now: number): void {
    this.#lookedSince = now
    this.#waitedBefore = this.#waited()
  }

  #giveWay(now: number): void {
    this.#awake = false
    this.#trust = 0
    this.#restsUntil = now + this.#rest
    this.#lookedSince = Number.NEGATIVE_INFINITY
    this.#rest = Math.min(2 * this.#rest, longestRest)
  }
}
