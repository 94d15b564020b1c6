// Sends every value to every receiver. A slow receiver learns how many values it missed.
import { broadcast, LaggedError } from '@quiesce/broadcast-channel';

const [prices, screen] = broadcast<number>(4);
const audit = prices.subscribe();

for (const price of [10, 11, 12]) {
  prices.send(price);
  console.log('screen:', await screen.recv());
}
// => screen: 10
// => screen: 11
// => screen: 12

for (const price of [13, 14, 15]) prices.send(price); // six in total, and the audit has read none of them
prices.close();
for await (const price of screen) console.log('screen:', price);
// => screen: 13
// => screen: 14
// => screen: 15

await audit.recv().catch((error) => console.log('audit:', error instanceof LaggedError, error.missedCount)); // => audit: true 2
console.log('audit continues at', await audit.recv()); // => audit continues at 12
