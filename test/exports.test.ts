import { expect, test } from 'vitest'

test('the public API is exactly this', async () => {
  expect(Object.keys(await import('plyfs')).sort()).toEqual([
    'PlyError',
    'append',
    'codeOf',
    'configure',
    'copy',
    'decodeText',
    'defaultRoot',
    'describeImage',
    'detectReference',
    'diff',
    'displayText',
    'encodeText',
    'errorCodes',
    'exportTree',
    'extractTree',
    'fsOf',
    'historyOf',
    'layerFrom',
    'memoryUpper',
    'openSink',
    'openSource',
    'openStore',
    'openTree',
    'scratch',
    'splitReference',
    'union',
    'validateImage',
  ])
})
