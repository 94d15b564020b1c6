/** What `await` calls: a `then` of the promise's own could call back at once, or twice. */
export const nativeThen: Promise<unknown>['then'] = Promise.prototype.then;
