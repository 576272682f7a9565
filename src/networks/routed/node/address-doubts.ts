import { type DetectedAddress, parseMethod } from './detect-address.ts'

/**
 * Why the address that was taken may not be the one that is meant: the method fits interfaces that are others, of which
 * Calico takes the one with the highest index and says nothing. One sentence each, with the way out. Pure.
 */
export function findAddressDoubts(
  method: string,
  taken: DetectedAddress,
  candidates: readonly DetectedAddress[],
): string[] {
  const names = [...new Set(candidates.map(({ interfaceName }) => interfaceName))]
  const others = names.filter((name) => name !== taken.interfaceName)
  if (others.length === 0 || !choosesInterface(method)) return []
  const meant = exactlyNamed(method, names) ?? taken.interfaceName
  return [
    `${method === '' ? 'first-found' : method} fits ${others.join(', ')} as well as ${taken.interfaceName}, whose ${taken.address} is taken: name the one that is meant, e.g. interface=^${meant}$`,
  ]
}

/** Methods that say something of the interface and not of the address. */
function choosesInterface(method: string): boolean {
  return ['', 'first-found', 'interface', 'skip-interface'].includes(parseMethod(method).name)
}

/** The interface whose whole name stands in the method: `ens2`, where ens224 fits too. */
function exactlyNamed(method: string, names: readonly string[]): string | undefined {
  const { name, argument } = parseMethod(method)
  if (name !== 'interface') return undefined
  const patterns = argument.split(',').map((text) => text.trim())
  return names.find((each) => patterns.includes(each))
}
