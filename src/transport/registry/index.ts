/** Registries: images over the network, by the OCI distribution specification. */
export type { LoggedIn, LoggedOut, Login } from './login.ts'
export { login, logout } from './login.ts'
export type { Document } from './manifests.ts'
export type { Credentials, PatienceOptions, RegistryOptions } from './options.ts'
export type { Referrer } from './referrers.ts'
export type { Repository } from './repository.ts'
export { openRepository } from './repository.ts'
