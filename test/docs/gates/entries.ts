import { publicPackages } from '../../package/packages.ts';
import type { Entry } from './exports.ts';

/** Where each package can be imported from. */
export function entries(): Entry[] {
  return publicPackages().flatMap(({ manifest, directory, entries }) =>
    [...entries].map(([subpath, source]) => ({
      name: manifest.name + subpath.slice(1),
      file: directory + source.slice(1),
    })),
  );
}
