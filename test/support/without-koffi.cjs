// Node as it is where koffi has no machine code for the platform: nothing of it can be loaded.
const Module = require('node:module')

const load = Module._load
Module._load = function (id, ...rest) {
  if (/koffi/.test(id)) throw Object.assign(new Error(`Cannot find module '${id}'`), { code: 'MODULE_NOT_FOUND' })
  return load.call(this, id, ...rest)
}
