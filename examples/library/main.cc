// Prints the version of the finedelta library that it was linked against.
#include <iostream>

#include "finedelta/version.h"

int main() {
  std::cout << finedelta::version() << '\n';
  return 0;
}
