import { describeEnd, type Trace } from './trace.ts'
import type { Way } from './way.ts'

/** Both ways as a list of places with what was decided there, then the verdict. */
export function renderTrace({ forward, reverse, verdict }: Trace): string {
  return [
    ...renderWay('there', forward),
    '',
    ...(reverse === undefined ? ['back: not known'] : renderWay('back', reverse)),
    '',
    verdict,
  ].join('\n')
}

function renderWay(title: string, { steps, source, destination, end }: Way): string[] {
  const places = steps.flatMap(({ place, lines }) => [`  ${place}`, ...lines.map((line) => `    ${line}`)])
  return [`${title}: to ${destination}`, ...places, `  = ${describeEnd(end)}, from ${source}`]
}
