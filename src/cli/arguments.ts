import * as Args from '@oclif/core/args'

/** The word for a tree in every help text. */
export const treeForms =
  'An image in the store, container:NAME[@SNAPSHOT], oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE, dir:DIR, docker://HOST/NAME[:TAG], rootfs:DIR or tar:FILE.'

// oclif would otherwise wait for a missing argument on stdin, which may be the archive itself.
const fromCommandLine = { ignoreStdin: true } as const

export const imageArg = () =>
  Args.string({ ...fromCommandLine, required: true, description: 'The name of an image in the store, or a reference.' })

export const imagesArg = () =>
  Args.string({
    ...fromCommandLine,
    required: true,
    multiple: true,
    description: 'Names of images in the store, or references.',
  })

export const treeArg = () => Args.string({ ...fromCommandLine, required: true, description: treeForms })

/** A tree, or one path in a container. */
export const placeArg = () =>
  Args.string({
    ...fromCommandLine,
    required: true,
    description: `${treeForms} Or work:/path for a path in a container.`,
  })

export const pathArg = (description: string) => Args.string({ ...fromCommandLine, description })

export const requiredArg = (description: string) => Args.string({ ...fromCommandLine, required: true, description })

export const requiredArgs = (description: string) =>
  Args.string({ ...fromCommandLine, required: true, multiple: true, description })
