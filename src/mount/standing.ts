export type { MountSubject, Standing, StandingDevice, StandingUpper } from '../store/mounts/standing.ts'
