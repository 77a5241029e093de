/** Do the work while no other tab of this browser does work of that name. Without locks, which a page
 * has only over HTTPS or on its own machine, several may do it at once. */
export async function oneAtATime<T>(name: string, work: () => Promise<T>): Promise<T> {
  const { locks } = navigator as { locks?: LockManager };
  return locks ? await locks.request(`holdfast.${name}`, work) : await work();
}
