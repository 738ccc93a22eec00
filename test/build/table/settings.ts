import { type Case, group } from './case.ts'

/** Instructions that set what the image says. */
export const settings: readonly Case[] = [
  ...group({ see: 'ENV' }, [
    {
      says: 'ENV sets several variables',
      dockerfile: 'FROM scratch\nENV MY_NAME="John Doe" MY_DOG=Rex\\ The\\ Dog MY_CAT=fluffy\n',
      config: { Env: ['MY_NAME=John Doe', 'MY_DOG=Rex The Dog', 'MY_CAT=fluffy'] },
    },
    {
      says: 'ENV without = takes the rest of the line',
      dockerfile: 'FROM scratch\nENV ONE TWO= THREE=world\n',
      config: { Env: ['ONE=TWO= THREE=world'] },
    },
    {
      says: 'ENV without = takes quotes away and variables in',
      dockerfile: 'FROM scratch\nENV A 1\nENV B "x $A"  y\n',
      config: { Env: ['A=1', 'B=x 1  y'] },
    },
    {
      says: 'ENV again replaces, and keeps the place',
      dockerfile: 'FROM scratch\nENV A=1\nENV B=2\nENV A=3\n',
      config: { Env: ['A=3', 'B=2'] },
    },
    { says: 'ENV may be empty', dockerfile: 'FROM scratch\nENV A= B=""\n', config: { Env: ['A=', 'B='] } },
    { says: 'ENV may hold an equals sign', dockerfile: 'FROM scratch\nENV A=b=c\n', config: { Env: ['A=b=c'] } },
    { says: 'ENV wants a value', dockerfile: 'FROM scratch\nENV A\n', fails: { line: 2, words: /wants a value/ } },
    {
      says: 'ENV wants an equals sign in each word',
      dockerfile: 'FROM scratch\nENV A=b c\n',
      fails: { line: 2, words: /no = in c/ },
    },
    { says: 'ENV wants a name', dockerfile: 'FROM scratch\nENV =b\n', fails: { line: 2, words: /no name in =b/ } },
  ]),
  ...group({ see: 'LABEL' }, [
    {
      says: 'LABEL sets several labels over several lines',
      dockerfile: 'FROM scratch\nLABEL multi.label1="value1" multi.label2="value2" \\\n      other="value3"\n',
      config: { Labels: { 'multi.label1': 'value1', 'multi.label2': 'value2', other: 'value3' } },
    },
    {
      says: 'LABEL takes names in quotes',
      dockerfile: 'FROM scratch\nLABEL "com.example.vendor"="ACME Incorporated"\n',
      config: { Labels: { 'com.example.vendor': 'ACME Incorporated' } },
    },
    {
      says: 'LABEL without = takes the rest of the line',
      dockerfile: 'FROM scratch\nLABEL version 1.0 and more\n',
      config: { Labels: { version: '1.0 and more' } },
    },
    {
      says: 'LABEL keeps a line that goes on in quotes together',
      dockerfile: 'FROM scratch\nLABEL d="This text illustrates \\\nthat label-values can span multiple lines."\n',
      config: { Labels: { d: 'This text illustrates that label-values can span multiple lines.' } },
    },
    {
      says: 'LABEL goes over that of the image below',
      dockerfile: 'FROM below\nLABEL a=2\n',
      images: { below: { dockerfile: 'FROM scratch\nLABEL a=1 b=1\n' } },
      config: { Labels: { a: '2', b: '1' } },
    },
    { says: 'LABEL may be empty', dockerfile: 'FROM scratch\nLABEL a= b=""\n', config: { Labels: { a: '', b: '' } } },
    {
      says: 'MAINTAINER is the author, and no setting',
      see: 'MAINTAINER (deprecated)',
      dockerfile: 'FROM scratch\nMAINTAINER A B <a@b.c>\n',
    },
  ]),
  ...group({ see: 'EXPOSE' }, [
    {
      says: 'EXPOSE is of TCP where nothing is said',
      dockerfile: 'FROM scratch\nEXPOSE 80\n',
      config: { ExposedPorts: { '80/tcp': {} } },
    },
    {
      says: 'EXPOSE takes both protocols of a port',
      dockerfile: 'FROM scratch\nEXPOSE 80/tcp\nEXPOSE 80/udp\n',
      config: { ExposedPorts: { '80/tcp': {}, '80/udp': {} } },
    },
    {
      says: 'EXPOSE takes several ports in one line',
      dockerfile: 'FROM scratch\nEXPOSE 80 443/tcp 53/udp 9/sctp\n',
      config: { ExposedPorts: { '80/tcp': {}, '443/tcp': {}, '53/udp': {}, '9/sctp': {} } },
    },
    {
      says: 'EXPOSE takes a range',
      dockerfile: 'FROM scratch\nEXPOSE 7000-7002/udp\n',
      config: { ExposedPorts: { '7000/udp': {}, '7001/udp': {}, '7002/udp': {} } },
    },
    {
      says: 'EXPOSE takes a protocol in any case',
      dockerfile: 'FROM scratch\nEXPOSE 80/TCP\n',
      config: { ExposedPorts: { '80/tcp': {} } },
    },
    {
      says: 'EXPOSE has no use for a port or an address of the host',
      dockerfile: 'FROM scratch\nEXPOSE 127.0.0.1:8080:80 81:82\n',
      config: { ExposedPorts: { '80/tcp': {}, '82/tcp': {} } },
    },
    {
      says: 'EXPOSE takes no name',
      dockerfile: 'FROM scratch\nEXPOSE http\n',
      fails: { line: 2, words: /http is no port/ },
    },
    {
      says: 'EXPOSE takes no port above 65535',
      dockerfile: 'FROM scratch\nEXPOSE 65536\n',
      fails: { line: 2, words: /65536 is no port/ },
    },
    {
      says: 'EXPOSE takes no range that runs backwards',
      dockerfile: 'FROM scratch\nEXPOSE 9-8\n',
      fails: { line: 2, words: /9-8 is no port/ },
    },
    {
      says: 'EXPOSE takes no other protocol',
      dockerfile: 'FROM scratch\nEXPOSE 80/icmp\n',
      fails: { line: 2, words: /80\/icmp is no port/ },
    },
  ]),
  ...group({ see: 'VOLUME' }, [
    {
      says: 'VOLUME takes words',
      dockerfile: 'FROM scratch\nVOLUME /var/log /var/db\n',
      config: { Volumes: { '/var/log': {}, '/var/db': {} } },
    },
    {
      says: 'VOLUME takes a list in JSON',
      dockerfile: 'FROM scratch\nVOLUME ["/a b", "/c"]\n',
      config: { Volumes: { '/a b': {}, '/c': {} } },
    },
    {
      says: 'VOLUME takes a list without strings as no list',
      dockerfile: "FROM scratch\nVOLUME ['/a']\n",
      config: { Volumes: { '[/a]': {} } },
    },
    {
      says: 'VOLUME makes no directory',
      dockerfile: 'FROM scratch\nVOLUME /v\n',
      config: { Volumes: { '/v': {} } },
      tree: [],
    },
    {
      says: 'what is put into a volume later is there',
      dockerfile: 'FROM scratch\nVOLUME /v\nCOPY f /v/\n',
      context: { f: 'x' },
      config: { Volumes: { '/v': {} } },
      tree: ['/v/', '/v/f = x'],
    },
    {
      says: 'VOLUME wants a path',
      dockerfile: 'FROM scratch\nVOLUME [""]\n',
      fails: { line: 2, words: /wants a path/ },
    },
  ]),
  ...group({ see: 'USER' }, [
    {
      says: 'USER takes a name, which is not looked up',
      dockerfile: 'FROM scratch\nUSER somebody:group\n',
      config: { User: 'somebody:group' },
    },
    { says: 'USER takes the last word', dockerfile: 'FROM scratch\nUSER a\nUSER 5\n', config: { User: '5' } },
    {
      says: 'USER wants somebody',
      dockerfile: 'FROM scratch\nUSER $NONE\n',
      fails: { line: 2, words: /names nobody/ },
    },
  ]),
  ...group({ see: 'WORKDIR' }, [
    {
      says: 'WORKDIR goes on from the one before',
      dockerfile: 'FROM scratch\nWORKDIR /a\nWORKDIR b\nWORKDIR c\n',
      config: { WorkingDir: '/a/b/c' },
      tree: ['/a/', '/a/b/', '/a/b/c/'],
    },
    {
      says: 'WORKDIR from nothing goes on from the root',
      dockerfile: 'FROM scratch\nWORKDIR a\n',
      config: { WorkingDir: '/a' },
      tree: ['/a/'],
    },
    {
      says: 'WORKDIR cleans its path',
      dockerfile: 'FROM scratch\nWORKDIR /a/./b/../c//\n',
      config: { WorkingDir: '/a/c' },
      tree: ['/a/', '/a/c/'],
    },
    { says: 'WORKDIR may be the root', dockerfile: 'FROM scratch\nWORKDIR /a\nWORKDIR /\n', config: {}, tree: ['/a/'] },
    {
      says: 'WORKDIR takes white space as part of a name',
      dockerfile: 'FROM scratch\nWORKDIR /a b\n',
      config: { WorkingDir: '/a b' },
      tree: ['/a b/'],
    },
    {
      says: 'WORKDIR leaves a directory that is there as it is',
      dockerfile: 'FROM scratch\nCOPY --chmod=711 --chown=5:6 d /\nWORKDIR /e\n',
      context: { 'd/e/f': 'x' },
      config: { WorkingDir: '/e' },
      tree: ['/e/ 711 5:6', '/e/f 711 5:6 = x'],
    },
    {
      says: 'WORKDIR makes what is of the user',
      dockerfile: 'FROM scratch\nUSER 5:6\nWORKDIR /a/b\n',
      config: { User: '5:6', WorkingDir: '/a/b' },
      tree: ['/a/ 5:6', '/a/b/ 5:6'],
    },
    {
      says: 'COPY goes on from WORKDIR',
      dockerfile: 'FROM scratch\nWORKDIR /w\nCOPY f .\nCOPY f d/\nCOPY f ./g\n',
      context: { f: 'x' },
      config: { WorkingDir: '/w' },
      tree: ['/w/', '/w/d/', '/w/d/f = x', '/w/f = x', '/w/g = x'],
    },
    {
      says: 'WORKDIR cannot be a file',
      dockerfile: 'FROM scratch\nCOPY f /f\nWORKDIR /f/d\n',
      context: { f: 'x' },
      fails: { line: 3, words: /WORKDIR/ },
    },
  ]),
  ...group({ see: 'CMD' }, [
    {
      says: 'CMD counts once, the last one',
      dockerfile: 'FROM scratch\nCMD ["a"]\nCMD ["b"]\n',
      config: { Cmd: ['b'] },
    },
    {
      says: 'CMD may be empty',
      dockerfile: 'FROM below\nCMD []\n',
      images: { below: { dockerfile: 'FROM scratch\nCMD ["a"]\n' } },
      config: { Cmd: [] },
    },
    {
      says: 'ENTRYPOINT takes the CMD of the image below away',
      see: 'Understand how CMD and ENTRYPOINT interact',
      dockerfile: 'FROM below\nENTRYPOINT ["e"]\n',
      images: { below: { dockerfile: 'FROM scratch\nCMD ["a"]\n' } },
      config: { Entrypoint: ['e'] },
    },
    {
      says: 'ENTRYPOINT keeps a CMD of its own stage, in front or behind',
      see: 'Understand how CMD and ENTRYPOINT interact',
      dockerfile: 'FROM scratch\nCMD ["a"]\nENTRYPOINT ["e"]\n',
      config: { Entrypoint: ['e'], Cmd: ['a'] },
    },
    {
      says: 'ENTRYPOINT takes the CMD of a stage below away',
      dockerfile: 'FROM scratch AS a\nCMD ["a"]\nFROM a\nENTRYPOINT ["e"]\n',
      config: { Entrypoint: ['e'] },
    },
    {
      says: 'ENTRYPOINT of a line is given to the shell',
      see: 'Shell form ENTRYPOINT example',
      dockerfile: 'FROM scratch\nENTRYPOINT exec top -b\n',
      config: { Entrypoint: ['/bin/sh', '-c', 'exec top -b'] },
    },
    {
      says: 'an empty ENTRYPOINT takes that of the image below away',
      dockerfile: 'FROM below\nENTRYPOINT []\n',
      images: { below: { dockerfile: 'FROM scratch\nENTRYPOINT ["a"]\n' } },
      config: {},
    },
  ]),
  ...group({ see: 'SHELL' }, [
    {
      says: 'SHELL is what lines are given to, from there on',
      dockerfile: 'FROM scratch\nENTRYPOINT a\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nCMD b\n',
      config: {
        Entrypoint: ['/bin/sh', '-c', 'a'],
        Shell: ['/bin/bash', '-o', 'pipefail', '-c'],
        Cmd: ['/bin/bash', '-o', 'pipefail', '-c', 'b'],
      },
    },
    {
      says: 'SHELL of the image below counts',
      dockerfile: 'FROM below\nCMD b\n',
      images: { below: { dockerfile: 'FROM scratch\nSHELL ["x"]\n' } },
      config: { Shell: ['x'], Cmd: ['x', 'b'] },
    },
    {
      says: 'SHELL wants a list',
      dockerfile: 'FROM scratch\nSHELL /bin/bash -c\n',
      fails: { line: 2, words: /array in JSON/ },
    },
    {
      says: 'SHELL wants something in its list',
      dockerfile: 'FROM scratch\nSHELL []\n',
      fails: { line: 2, words: /array in JSON/ },
    },
  ]),
  ...group({ see: 'STOPSIGNAL' }, [
    {
      says: 'STOPSIGNAL takes a name',
      dockerfile: 'FROM scratch\nSTOPSIGNAL SIGKILL\n',
      config: { StopSignal: 'SIGKILL' },
    },
    {
      says: 'STOPSIGNAL takes a name without SIG',
      dockerfile: 'FROM scratch\nSTOPSIGNAL RTMIN+3\n',
      config: { StopSignal: 'RTMIN+3' },
    },
    { says: 'STOPSIGNAL takes a number', dockerfile: 'FROM scratch\nSTOPSIGNAL 9\n', config: { StopSignal: '9' } },
    {
      says: 'STOPSIGNAL takes no other word',
      dockerfile: 'FROM scratch\nSTOPSIGNAL SIGNOTHING\n',
      fails: { line: 2, words: /SIGNOTHING is no signal/ },
    },
    {
      says: 'STOPSIGNAL takes no number that is none of a signal',
      dockerfile: 'FROM scratch\nSTOPSIGNAL 0\n',
      fails: { line: 2, words: /0 is no signal/ },
    },
  ]),
  ...group({ see: 'HEALTHCHECK' }, [
    {
      says: 'HEALTHCHECK takes a line for the shell',
      dockerfile:
        'FROM scratch\nHEALTHCHECK --interval=5m --timeout=3s \\\n  CMD curl -f http://localhost/ || exit 1\n',
      config: {
        Healthcheck: { Test: ['CMD-SHELL', 'curl -f http://localhost/ || exit 1'], Interval: 300e9, Timeout: 3e9 },
      },
    },
    {
      says: 'HEALTHCHECK takes a list and all of its times',
      dockerfile:
        'FROM scratch\nHEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=500ms --start-interval=2s --retries=4 CMD ["a", "b"]\n',
      config: {
        Healthcheck: {
          Test: ['CMD', 'a', 'b'],
          Interval: 90e9,
          Timeout: 15e8,
          StartPeriod: 5e8,
          StartInterval: 2e9,
          Retries: 4,
        },
      },
    },
    {
      says: 'HEALTHCHECK NONE takes that of the image below away',
      dockerfile: 'FROM below\nHEALTHCHECK NONE\n',
      images: { below: { dockerfile: 'FROM scratch\nHEALTHCHECK CMD x\n' } },
      config: { Healthcheck: { Test: ['NONE'] } },
    },
    {
      says: 'HEALTHCHECK counts once, the last one',
      dockerfile: 'FROM scratch\nHEALTHCHECK --retries=3 CMD a\nhealthcheck cmd b\n',
      config: { Healthcheck: { Test: ['CMD-SHELL', 'b'] } },
    },
    {
      says: 'HEALTHCHECK takes no other word',
      dockerfile: 'FROM scratch\nHEALTHCHECK RUN x\n',
      fails: { line: 2, words: /NONE, or CMD/ },
    },
    {
      says: 'HEALTHCHECK NONE takes nothing else',
      dockerfile: 'FROM scratch\nHEALTHCHECK NONE x\n',
      fails: { line: 2, words: /NONE takes nothing/ },
    },
    {
      says: 'HEALTHCHECK CMD wants a command',
      dockerfile: 'FROM scratch\nHEALTHCHECK CMD\n',
      fails: { line: 2, words: /CMD wants a command/ },
    },
    {
      says: 'HEALTHCHECK takes times as Go writes them',
      dockerfile: 'FROM scratch\nHEALTHCHECK --interval=5 CMD x\n',
      fails: { line: 2, words: /5 is no duration/ },
    },
    {
      says: 'HEALTHCHECK takes no time below a millisecond',
      dockerfile: 'FROM scratch\nHEALTHCHECK --interval=1us CMD x\n',
      fails: { line: 2, words: /1ms at least/ },
    },
    {
      says: 'HEALTHCHECK takes no number of tries below none',
      dockerfile: 'FROM scratch\nHEALTHCHECK --retries=-1 CMD x\n',
      fails: { line: 2, words: /retries is a number/ },
    },
    {
      says: 'HEALTHCHECK knows its flags',
      dockerfile: 'FROM scratch\nHEALTHCHECK --intervall=5s CMD x\n',
      fails: { line: 2, words: /no flag --intervall; did you mean --interval\?/ },
    },
  ]),
]
