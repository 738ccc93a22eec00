import { type Case, group } from './case.ts'

const raw = String.raw

/**
 * RUN. Those that run something begin with the image `shell`, which has a shell, some programs, the users `root` and `web`, and the
 * directory `/w`; of what they make `/w` alone is looked at.
 */
export const running: readonly Case[] = [
  ...group({ see: 'RUN', runs: true }, [
    {
      says: 'a line is run by the shell',
      dockerfile: 'FROM shell\nRUN echo "a  b" > /w/f && echo $((1<<2)) >> /w/f\n',
      tree: ['/w/f = a  b|4|'],
    },
    {
      says: 'a list is run as it is',
      often: true,
      dockerfile: 'FROM shell\nRUN ["/bin/touch", "/w/$A b"]\n',
      tree: ['/w/$A b ='],
    },
    {
      says: 'a program of a list is looked for where PATH says',
      dockerfile: 'FROM shell\nRUN ["touch", "/w/f"]\n',
      tree: ['/w/f ='],
    },
    {
      says: 'a line over several lines is one, without comments',
      often: true,
      dockerfile: 'FROM shell\nRUN echo a > /w/f; \\\n# no\n  echo b \\\n\n   >> /w/f\n',
      tree: ['/w/f = a|b|'],
    },
    {
      says: 'SHELL says what runs a line',
      see: 'SHELL',
      dockerfile: 'FROM shell\nSHELL ["/bin/sh", "-ec"]\nRUN false; echo > /w/f\n',
      fails: { line: 3, code: 'PLY_BUILD_FAILED', words: /ended with 1/ },
    },
    {
      says: 'ENV and ARG are variables of a command',
      often: true,
      see: 'Using ARG variables',
      dockerfile: 'FROM shell\nARG A=1 B=2\nENV B=env C="x y"\nRUN echo "$A $B $C $D" > /w/f\n',
      args: { A: 'given' },
      config: { Env: ['B=env', 'C=x y'] },
      tree: ['/w/f = given env x y |'],
    },
    {
      says: 'an argument of a stage is one of commands of the stage on it',
      see: 'Scope',
      dockerfile: 'FROM shell AS a\nARG A=1\nFROM a\nRUN echo "[$A]" > /w/f\n',
      tree: ['/w/f = [1]|'],
    },
    {
      says: 'an argument is none in front of its line',
      see: 'Scope',
      dockerfile: 'FROM shell\nRUN echo "[$A]" > /w/f\nARG A=1\n',
      args: { A: '2' },
      tree: ['/w/f = []|'],
    },
    {
      says: 'a proxy of the user is a variable of commands without ARG',
      see: 'Predefined ARGs',
      dockerfile: 'FROM shell\nRUN echo "$http_proxy" > /w/f\n',
      args: { http_proxy: 'http://p' },
      tree: ['/w/f = http://p|'],
    },
    {
      says: 'a command begins in WORKDIR',
      dockerfile: 'FROM shell\nWORKDIR /w/d\nRUN pwd > f\n',
      config: { WorkingDir: '/w/d' },
      tree: ['/w/d/', '/w/d/f = /w/d|'],
    },
    {
      says: 'a command is run by USER, by number',
      dockerfile: 'FROM shell\nRUN ["/bin/chmod", "777", "/w"]\nUSER 5:6\nRUN id -u > /w/f; id -g >> /w/f\n',
      config: { User: '5:6' },
      tree: ['/w/f 5:6 = 5|6|'],
    },
    {
      says: 'a command is run by USER, by name, with its groups',
      often: true,
      dockerfile: 'FROM shell\nRUN chmod 777 /w\nUSER web\nRUN id -u > /w/f; id -g >> /w/f; id -G >> /w/f\n',
      config: { User: 'web' },
      tree: ['/w/f 33:33 = 33|33|33 50|'],
    },
    {
      says: 'USER that the image does not know is an error',
      dockerfile: 'FROM shell\nUSER nobody\nRUN true\n',
      fails: { words: /no user nobody/, code: 'PLY_USAGE' },
    },
    {
      says: 'what a command takes away is gone',
      often: true,
      dockerfile: 'FROM shell\nCOPY . /w/\nRUN rm /w/a; rm -r /w/d; mkdir /w/d\n',
      context: { a: '1', b: '2', 'd/e': '3' },
      tree: ['/w/b = 2', '/w/d/'],
    },
    {
      says: 'modes, owners and links of what a command makes stay',
      often: true,
      dockerfile: 'FROM shell\nRUN cd /w; echo x > f; chown 5:6 f; chmod 4711 f; ln f h; ln -s f l; mkdir -m 1777 d\n',
      tree: ['/w/d/ 1777', '/w/f 4711 5:6 = x', '/w/h => /w/f', '/w/l -> f'].map((line) => line.replace('= x', '= x|')),
    },
    {
      says: 'a command that fails is an error with its line, and with what it said',
      often: true,
      dockerfile: 'FROM shell\n\nRUN echo this is wrong >&2; \\\n exit 3\n',
      fails: { line: 3, code: 'PLY_BUILD_FAILED', words: /Dockerfile:3: .*ended with 3; it said:\nthis is wrong/s },
    },
    {
      says: 'a program that is not there is an error',
      dockerfile: 'FROM shell\nRUN ["/nothing"]\n',
      fails: { line: 2, code: 'PLY_BUILD_FAILED', words: /no program \/nothing/ },
    },
    {
      says: 'a command that waits in an image is run by the next build',
      often: true,
      see: 'ONBUILD',
      dockerfile: 'FROM below\n',
      images: { below: { dockerfile: 'FROM shell\nARG A=1\nONBUILD RUN echo $A > /w/f\n' } },
      tree: ['/w/f = |'],
    },
    {
      says: 'a file of the runtime is none of the image',
      often: true,
      dockerfile:
        'FROM shell AS a\nRUN touch /w/f\nFROM scratch\nCOPY --from=a --exclude=bin --exclude=lib* --exclude=usr --exclude=w / /w/\n',
      tree: [
        '/w/etc/',
        '/w/etc/group = root:x:0:|web:x:33:|more:x:50:web|',
        '/w/etc/passwd = root:x:0:0::/root:/bin/sh|web:x:33:33::/www:/bin/sh|',
      ],
    },
  ]),
  ...group({ see: 'Here-Documents', runs: true }, [
    {
      says: 'a text is several commands',
      dockerfile: 'FROM shell\nRUN <<EOF\ncd /w\necho one > f\necho two >> f\nEOF\n',
      tree: ['/w/f = one|two|'],
    },
    {
      says: 'variables of a text are those of the shell',
      dockerfile: 'FROM shell\nENV A=env\nRUN <<EOF\nA=$A-sh\necho "$A" > /w/f\nEOF\n',
      config: { Env: ['A=env'] },
      tree: ['/w/f = env-sh|'],
    },
    {
      says: 'a text with a dash has no tabs in front',
      dockerfile: 'FROM shell\nRUN <<-EOF\n\tcat > /w/f <<X\n\ta\n\tX\n\tEOF\n',
      tree: ['/w/f = a|'],
    },
    {
      says: 'a text that begins with #! is a program',
      often: true,
      dockerfile:
        'FROM shell\nRUN <<EOF\n#!/bin/cat\nas it is $A\nEOF\nRUN <<EOF\n#!/bin/sh -e\necho "$0" > /w/f\nEOF\n',
      tree: ['/w/f = /dev/pipes/EOF|'],
    },
    {
      says: 'a text is the input of a program',
      often: true,
      dockerfile: 'FROM shell\nENV A=1\nRUN cat > /w/f <<EOF\na $A\nEOF\nRUN <<"EOF" cat > /w/g\nb $A\nEOF\n',
      config: { Env: ['A=1'] },
      tree: ['/w/f = a 1|', '/w/g = b $A|'],
    },
    {
      says: 'two texts are inputs of two programs',
      dockerfile: 'FROM shell\nRUN cat <<A > /w/f && cat <<B > /w/g\n1\nA\n2\nB\n',
      tree: ['/w/f = 1|', '/w/g = 2|'],
    },
    {
      says: 'a text may be that of another descriptor',
      dockerfile: 'FROM shell\nRUN cat 3<<EOF <&3 > /w/f\nx\nEOF\n',
      tree: ['/w/f = x|'],
    },
    {
      says: 'a name of a text may stand behind white space',
      dockerfile: 'FROM shell\nRUN << EOF\necho x > /w/f\nEOF\n',
      tree: ['/w/f = x|'],
    },
    {
      says: 'a backslash at the end of a line of a text is that of the shell',
      often: true,
      dockerfile: 'FROM shell\nRUN <<EOF\necho a \\\n  b > /w/f\n# no\nEOF\n',
      tree: ['/w/f = a b|'],
    },
  ]),
  ...group({ see: 'RUN --mount=type=bind', runs: true, context: { f: 'F', 'd/g': 'G' } }, [
    {
      says: 'the context is bound where a command wants it',
      dockerfile: 'FROM shell\nRUN --mount=target=/ctx cat /ctx/f /ctx/d/g > /w/x\n',
      tree: ['/w/x = FG'],
    },
    {
      says: 'a bound directory is to be read',
      dockerfile: 'FROM shell\nRUN --mount=type=bind,target=/ctx echo x > /ctx/f || echo no > /w/x\n',
      tree: ['/w/x = no|'],
    },
    {
      says: 'what is written into a bound directory is gone',
      often: true,
      dockerfile:
        'FROM shell\nRUN --mount=type=bind,target=/ctx,rw echo x > /ctx/f; cat /ctx/f > /w/x\nRUN --mount=type=bind,target=/ctx cat /ctx/f >> /w/x\n',
      tree: ['/w/x = x|F'],
    },
    {
      says: 'a source is a path of the context',
      dockerfile:
        'FROM shell\nRUN --mount=source=d,dst=/ctx cat /ctx/g > /w/x\nRUN --mount=src=f,destination=/one cat /one >> /w/x\n',
      tree: ['/w/x = GF'],
    },
    {
      says: 'a stage may be bound',
      often: true,
      dockerfile:
        'FROM scratch AS a\nCOPY f /a/f\nFROM shell\nRUN --mount=from=a,source=/a,target=/a cat /a/f > /w/x\n',
      tree: ['/w/x = F'],
    },
    {
      says: 'a target is relative to WORKDIR, and may hold variables',
      dockerfile: 'FROM shell\nARG T=t\nWORKDIR /w\nRUN --mount=target=$T cat t/f > x\n',
      config: { WorkingDir: '/w' },
      tree: ['/w/x = F'],
    },
    {
      says: 'a source of a mount that is not there is an error',
      dockerfile: 'FROM shell\nRUN --mount=source=nothing,target=/x true\n',
      fails: { line: 2, words: /nothing is not there/ },
    },
    {
      says: 'a source of a mount above the context is an error',
      often: true,
      dockerfile: 'FROM shell\nRUN --mount=source=../x,target=/x true\n',
      fails: { line: 2, words: /outside of the context/ },
    },
  ]),
  ...group({ see: 'RUN --mount=type=cache', runs: true }, [
    {
      says: 'a cache is there for the next command, and not in the image',
      often: true,
      dockerfile:
        'FROM shell\nRUN --mount=type=cache,target=/w/c echo 1 > /w/c/f\nRUN --mount=type=cache,target=/w/c cat /w/c/f > /w/x\n',
      tree: ['/w/x = 1|'],
    },
    {
      says: 'a cache is one by its id',
      dockerfile:
        'FROM shell\nRUN --mount=type=cache,id=mine,target=/c echo 1 > /c/f\nRUN --mount=type=cache,id=mine,target=/d,sharing=locked cat /d/f > /w/x\nRUN --mount=type=cache,target=/c ls /c >> /w/x\n',
      tree: ['/w/x = 1|'],
    },
    {
      says: 'a cache that is to be read cannot be written',
      dockerfile: 'FROM shell\nRUN --mount=type=cache,target=/c1,ro echo 1 > /c1/f || echo no > /w/x\n',
      tree: ['/w/x = no|'],
    },
    {
      says: 'a cache has the mode and the owner that are said',
      often: true,
      dockerfile: 'FROM shell\nRUN --mount=type=cache,target=/c2,mode=0711,uid=5,gid=6 stat -c "%a %u %g" /c2 > /w/x\n',
      tree: ['/w/x = 711 5 6|'],
    },
    {
      says: 'a cache begins with what is in a stage',
      dockerfile:
        'FROM scratch AS a\nCOPY f /a/f\nFROM shell\nRUN --mount=type=cache,target=/c3,from=a,source=/a cat /c3/f > /w/x\n',
      context: { f: 'F' },
      tree: ['/w/x = F'],
    },
  ]),
  ...group({ see: 'RUN --mount=type=tmpfs', runs: true }, [
    {
      says: 'a tmpfs is empty, can be written and is gone',
      often: true,
      dockerfile: 'FROM shell\nCOPY f /w/t/f\nRUN --mount=type=tmpfs,target=/w/t ls /w/t > /w/x; echo 1 > /w/t/g\n',
      context: { f: 'F' },
      tree: ['/w/t/', '/w/t/f = F', '/w/x ='],
    },
    {
      says: 'a tmpfs has the size that is said',
      dockerfile:
        'FROM shell\nRUN --mount=type=tmpfs,target=/t,size=4k cat /bin/sh > /t/f 2> /dev/null || echo full > /w/x\n',
      tree: ['/w/x = full|'],
    },
  ]),
  ...group({ see: 'RUN --mount=type=secret', runs: true, secrets: { s: 'very secret' } }, [
    {
      says: 'a secret is a file for its owner',
      dockerfile: 'FROM shell\nRUN --mount=type=secret,id=s stat -c "%a %u %g %s" /run/secrets/s > /w/x\n',
      tree: ['/w/x = 400 0 0 11|'],
    },
    {
      says: 'a secret is where a command wants it, as it wants it',
      often: true,
      dockerfile:
        'FROM shell\nRUN --mount=type=secret,id=s,target=/x/key,mode=0444,uid=5,gid=6 stat -c "%a %u %g %s" /x/key > /w/x\n',
      tree: ['/w/x = 444 5 6 11|'],
    },
    {
      says: 'a secret is a variable',
      often: true,
      dockerfile:
        'FROM shell\nRUN --mount=type=secret,id=s,env=S test "$S" = "very secret" && test ! -e /run/secrets/s && echo yes > /w/x\n',
      tree: ['/w/x = yes|'],
    },
    {
      says: 'a secret that is not there is none',
      dockerfile: 'FROM shell\nRUN --mount=type=secret,id=other test -e /run/secrets/other || echo none > /w/x\n',
      tree: ['/w/x = none|'],
    },
    {
      says: 'a secret that is wanted and not there is an error',
      often: true,
      dockerfile: 'FROM shell\nRUN --mount=type=secret,id=other,required=true true\n',
      fails: { line: 2, words: /needs the secret other/ },
    },
    {
      says: 'a secret has the name of its target',
      dockerfile: 'FROM shell\nRUN --mount=type=secret,target=/x/s stat -c %s /x/s > /w/x\n',
      tree: ['/w/x = 11|'],
    },
    {
      says: 'an agent that is wanted and not there is an error',
      often: true,
      see: 'RUN --mount=type=ssh',
      dockerfile: 'FROM shell\nRUN --mount=type=ssh,required true\n',
      fails: { code: 'PLY_USAGE', words: /needs the agent default/ },
    },
    {
      says: 'an agent that is not there is none',
      see: 'RUN --mount=type=ssh',
      dockerfile: 'FROM shell\nRUN --mount=type=ssh echo "[$SSH_AUTH_SOCK]" > /w/x\n',
      tree: ['/w/x = []|'],
    },
  ]),
  ...group({ see: 'RUN --network', runs: true }, [
    {
      says: 'a command without a network has the machine itself alone',
      often: true,
      dockerfile: raw`FROM shell
RUN --network=none cat /proc/net/dev | sed 1,2d | cut -d: -f1 > /w/x
`,
      tree: ['/w/x =     lo|'],
    },
    {
      says: 'a command may ask for the network of the host',
      dockerfile: 'FROM shell\nRUN --network=host echo yes > /w/x\nRUN --network=default echo yes >> /w/x\n',
      tree: ['/w/x = yes|yes|'],
    },
    {
      says: 'a command has no more rights than others',
      see: 'RUN --security',
      dockerfile: 'FROM shell\nRUN --security=insecure true\n',
      fails: { code: 'PLY_UNSUPPORTED', words: /--security=insecure/ },
    },
    {
      says: 'a command for another machine is an error where nothing emulates it',
      often: true,
      dockerfile: 'FROM scratch\nCOPY f /f\nRUN ["/f"]\n',
      context: { f: '' },
      wanted: 'linux/s390x',
      fails: { code: 'PLY_UNSUPPORTED', words: /s390x/ },
    },
  ]),
  ...group({ see: 'RUN' }, [
    {
      says: 'a kind of mount that nobody knows is an error',
      dockerfile: 'FROM scratch\nRUN --mount=type=cash,target=/x y\n',
      fails: { line: 2, words: /no mount of type cash.*did you mean cache\?/ },
    },
    {
      says: 'a word that a mount does not know is an error',
      dockerfile: 'FROM scratch\nRUN --mount=type=cache,tagret=/x y\n',
      fails: { line: 2, words: /knows no tagret; did you mean target\?/ },
    },
    {
      says: 'a word of another mount is an error',
      dockerfile: 'FROM scratch\nRUN --mount=type=bind,target=/x,sharing=locked y\n',
      fails: { line: 2, words: /bind knows no sharing/ },
    },
    {
      says: 'a mount wants a target',
      dockerfile: 'FROM scratch\nRUN --mount=type=tmpfs y\n',
      fails: { line: 2, words: /tmpfs wants a target/ },
    },
    {
      says: 'a cache is shared in three ways',
      dockerfile: 'FROM scratch\nRUN --mount=type=cache,target=/x,sharing=mine y\n',
      fails: { line: 2, words: /sharing is shared, private, locked, not mine/ },
    },
    {
      says: 'a mode of a mount is octal',
      dockerfile: 'FROM scratch\nRUN --mount=type=secret,id=x,mode=8 y\n',
      fails: { line: 2, words: /8 is not octal/ },
    },
    {
      says: 'a network is one of three',
      dockerfile: 'FROM scratch\nRUN --network=bridge y\n',
      fails: { line: 2, words: /not bridge/ },
    },
    {
      says: 'a device cannot be given',
      see: 'RUN --device',
      dockerfile: 'FROM scratch\nRUN --device=gpu y\n',
      fails: { line: 2, words: /devices cannot be given/ },
    },
    {
      says: 'a flag that RUN does not know is an error',
      dockerfile: 'FROM scratch\nRUN --moutn=type=bind y\n',
      fails: { line: 2, words: /no flag --moutn; did you mean --mount\?/ },
    },
    { says: 'RUN wants a command', dockerfile: 'FROM scratch\nRUN\n', fails: { line: 2, words: /wants an argument/ } },
    {
      says: 'a text without an end is an error',
      dockerfile: 'FROM scratch\nRUN <<EOF\nx\n',
      fails: { line: 2, words: /heredoc EOF has no end/ },
    },
  ]),
]
