/** A key pair of P-256, made for these tests and of no use elsewhere: as `cosign generate-key-pair` writes it, sealed under `fixture`. */
export const sealedKey = `-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjozMjc2OCwiciI6
OCwicCI6MX0sInNhbHQiOiJtSjhKM2RxRnFLT1JVTThETTJKYkRWYytubHlEMlV6
QTdaelVGemRSSmdrPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJDUXZEWFpMbC93aklNSDZWbWI0Tk5QQk9wRGFIMzR4UiJ9LCJj
aXBoZXJ0ZXh0IjoiTmtJU3BlRkNnS1BSZlVleXZvdGNtQ013WHpIUHdpNFF6ZU5P
Y2tmY1VnNnczTndKanlONWltVE1rcksyN1IydFNQeHgyZFpIQVFmelp0M0VWVGxV
WnN5c1JDVjdsaEE3Nm10WjFXU1hHNmp6cXozcHBVbGhzTlU2RG5vZERwL1REWFh2
RFEzb3o1eHhiL1pwQ0U4eXhjbkwyNDdYM0U4RWIyUEdIL3c5NEdzTmR6THYra1Ez
M09ySHkwL1lzNjBnc1dEY2ZmSExZVlBuQXc9PSJ9
-----END ENCRYPTED COSIGN PRIVATE KEY-----
`

export const sealedPassphrase = 'fixture'

/** The same, open. */
export const openKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJlXND/eHpRxvgmji
+1DIxRwxHFTPkZREICiqlL84B0OhRANCAARhSI6QbZduSn6Oyg9LzoYMgfgJs4eI
dE9rrfKT+CGD9YDKRayOvJa7LoLLKE/t5PN6eriQSUjMe1402lvjzND0
-----END PRIVATE KEY-----
`

export const publicKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYUiOkG2Xbkp+jsoPS86GDIH4CbOH
iHRPa63yk/ghg/WAykWsjryWuy6CyyhP7eTzenq4kElIzHteNNpb48zQ9A==
-----END PUBLIC KEY-----
`
