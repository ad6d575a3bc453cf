// Our side of the comparison with werkzeug's routing: `METHOD URI` in, the class and its strictness out, or `refused`. A field of
// the line may hold any byte but a space and a newline, as a header could.
#include <iostream>
#include <string>
#include <string_view>

#include "guard/path.hpp"
#include "guard/route_class.hpp"

using namespace portcullis::guard;

int main() {
  PathBuffer buffer;
  for (std::string line; std::getline(std::cin, line);) {
    const std::size_t space = line.find(' ');
    if (space == std::string::npos) return 1;
    PathForms forms;
    if (normalise_path(std::string_view(line).substr(space + 1), buffer, forms) != Reason::none) {
      std::cout << "refused\n";
      continue;
    }
    const RouteClass found = classify(forms, std::string_view(line).substr(0, space));
    std::cout << route_class_name(found) << ' ' << int{route_class_info(found).strictness} << '\n';
  }
  return std::cout.flush() ? 0 : 1;
}
