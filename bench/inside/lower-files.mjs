/** The first files of the image, breadth first. */
export function lowerFiles(fs, count) {
  const files = []
  const directories = ['/']
  for (
    let directory = directories.shift();
    directory !== undefined && files.length < count;
    directory = directories.shift()
  ) {
    for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
      const path = `${directory === '/' ? '' : directory}/${entry.name}`
      if (entry.isDirectory()) directories.push(path)
      else if (entry.isFile() && entry.name.startsWith('new-file') === false && files.length < count) files.push(path)
    }
  }
  return files
}
